import type { Hold } from "../../../lease/types.ts";
import type { Trust } from "../options.ts";

/** The line that lets a gate confirm its hold. */
export function grantedLine({ token, ttlMs }: Hold, { ca, urls }: Trust): object {
  return { state: "granted", token, ttlMs, renewEveryMs: Math.floor(ttlMs / 3), ca, urls };
}

/** The answer to a renewal. The keeper counts with this `ttlMs`, which is never more than the hold's. */
export function renewedAnswer({ token, renewals }: Hold, ttlMs: number, { ca, urls }: Trust): object {
  return { token, ttlMs, renewals, ca, urls };
}

/** A pod that may not rerun is told that it lost its hold: running again unasked would be worse than failing. */
export const HOLD_LOST = {
  state: "denied",
  reason: "HoldLost",
  message: "the pod lost its hold while it ran, and its restartPolicy Never does not allow another run",
} as const;
