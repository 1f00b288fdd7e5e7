/** Holds that end although main would go on: they are not renewable, or reach their longest duration. */
import { expect } from "vitest";
import { EXPIRY_ALLOWANCE_MS } from "../../../src/lease/decision.ts";
import { ANNOTATION } from "../../../src/shared/names.ts";
import { toBootMs } from "../boot-time.ts";
import type { Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { BEAT_MS, HANDED_ON_WITHIN_MS, handover, holdBefore } from "../handover.ts";
import { setStage } from "../stage.ts";

const TTL_MS = 15_000;
const MAX_HOLD_MS = 20_000;
const GRACE_SECONDS = 2;

const LIMITS = [
  { annotation: ANNOTATION.renew, value: "false", holdsForMs: 0 },
  { annotation: ANNOTATION.maxHold, value: "20s", holdsForMs: MAX_HOLD_MS },
];

export const limitedHolds: readonly Scenario[] = LIMITS.map(
  ({ annotation, value, holdsForMs }): Scenario => ({
    name: `a hold with ${annotation.replace(/.*\//, "")}: ${value} ends by itself, and its main ends before the next one begins`,
    timeoutMs: 180_000,
    async run(environment) {
      const stage = await setStage(environment, "limited", { ttl: "15s" });
      const annotations = { [annotation]: value };
      const hold = await holdBefore(stage, { annotations, graceSeconds: GRACE_SECONDS, onTerm: "ignore" });
      const { old, next } = await handover(stage);
      expect(next.fromMs).toBeGreaterThan(old.toMs - BEAT_MS);
      const heldMs = old.toMs - toBootMs(hold.acquiredMs);
      expect(heldMs).toBeGreaterThan(holdsForMs);
      expectWithin(environment, {
        what: `${annotation}: ${value}: from the grant to the next main`,
        measuredMs: next.fromMs - toBootMs(hold.acquiredMs),
        // A pod that cannot fence itself is deleted when its hold has not been renewed for a ttl.
        boundMs: holdsForMs + TTL_MS + EXPIRY_ALLOWANCE_MS + GRACE_SECONDS * 1_000 + HANDED_ON_WITHIN_MS,
      });
    },
  }),
);
