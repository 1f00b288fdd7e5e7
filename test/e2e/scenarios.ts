import type { Scenario } from "./environment.ts";
import { ending } from "./scenarios/ending.ts";
import { fencing } from "./scenarios/fencing.ts";
import { foreignHands } from "./scenarios/foreign-hands.ts";
import { limitedWaiting } from "./scenarios/limited-waiting.ts";
import { nodeFaults } from "./scenarios/node-faults.ts";
import { outages } from "./scenarios/outages.ts";
import { queue } from "./scenarios/queue.ts";
import { refusals } from "./scenarios/refusals.ts";
import { rights } from "./scenarios/rights.ts";
import { scheduling } from "./scenarios/scheduling.ts";
import { scripts } from "./scenarios/scripts.ts";
import { skipping } from "./scenarios/skipping.ts";
import { specChanges } from "./scenarios/spec-changes.ts";
import { tokenFile } from "./scenarios/token-file.ts";
import { turnTaking } from "./scenarios/turn-taking.ts";

/** Every scenario there is. What they asked of the API server is looked at last. */
export const SCENARIOS: readonly Scenario[] = [
  ...turnTaking,
  ...ending,
  ...fencing,
  ...nodeFaults,
  ...queue,
  ...refusals,
  ...foreignHands,
  ...scheduling,
  ...skipping,
  ...limitedWaiting,
  ...tokenFile,
  ...scripts,
  ...specChanges,
  ...outages,
  ...rights,
];
