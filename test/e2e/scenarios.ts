import type { Scenario } from "./environment.ts";
import { arbiters } from "./scenarios/arbiters.ts";
import { crashLoops } from "./scenarios/crash-loops.ts";
import { ending } from "./scenarios/ending.ts";
import { falseWitnesses } from "./scenarios/false-witnesses.ts";
import { fencing } from "./scenarios/fencing.ts";
import { forceDeleted } from "./scenarios/force-deleted.ts";
import { foreignHands } from "./scenarios/foreign-hands.ts";
import { jobFeatures } from "./scenarios/job-features.ts";
import { keeperTroubles } from "./scenarios/keeper-troubles.ts";
import { kubernetesEnds } from "./scenarios/kubernetes-ends.ts";
import { limitedHolds } from "./scenarios/limited-holds.ts";
import { limitedWaiting } from "./scenarios/limited-waiting.ts";
import { longOutages } from "./scenarios/long-outages.ts";
import { lostNodes } from "./scenarios/lost-nodes.ts";
import { mainEnds } from "./scenarios/main-ends.ts";
import { neverStarts } from "./scenarios/never-starts.ts";
import { nodeFaults } from "./scenarios/node-faults.ts";
import { notices } from "./scenarios/notices.ts";
import { onceOnly } from "./scenarios/once.ts";
import { operators } from "./scenarios/operators.ts";
import { outages } from "./scenarios/outages.ts";
import { ownerRules } from "./scenarios/owner-rules.ts";
import { partitions } from "./scenarios/partitions.ts";
import { queue } from "./scenarios/queue.ts";
import { refusals } from "./scenarios/refusals.ts";
import { rights } from "./scenarios/rights.ts";
import { scheduling } from "./scenarios/scheduling.ts";
import { scripts } from "./scenarios/scripts.ts";
import { skipping } from "./scenarios/skipping.ts";
import { specChanges } from "./scenarios/spec-changes.ts";
import { successors } from "./scenarios/successors.ts";
import { tokenFile } from "./scenarios/token-file.ts";
import { turnTaking } from "./scenarios/turn-taking.ts";
import { wholeJobs } from "./scenarios/whole-jobs.ts";

/** All scenarios, in the order of their starts. The last ones look back on what the others asked of the API server. */
export const SCENARIOS: readonly Scenario[] = [
  ...turnTaking,
  ...ending,
  ...mainEnds,
  ...kubernetesEnds,
  ...forceDeleted,
  ...fencing,
  ...partitions,
  ...specChanges,
  ...wholeJobs,
  ...keeperTroubles,
  ...neverStarts,
  ...crashLoops,
  ...successors,
  ...nodeFaults,
  ...queue,
  ...refusals,
  ...foreignHands,
  ...falseWitnesses,
  ...operators,
  ...scheduling,
  ...skipping,
  ...onceOnly,
  ...limitedWaiting,
  ...notices,
  ...limitedHolds,
  ...ownerRules,
  ...jobFeatures,
  ...tokenFile,
  ...scripts,
  ...outages,
  ...longOutages,
  ...arbiters,
  ...lostNodes,
  ...rights,
];
