import { describeTurn, TOLD_PLACES } from "../../../lease/forecast.ts";
import { heldBack } from "../../../lease/policies/held-back.ts";
import type { Hold, Lease } from "../../../lease/types.ts";
import { defined } from "../../../shared/json.ts";
import { isoTime } from "../../../shared/times.ts";
import type { Trust } from "../options.ts";

/**
 * Makes the lines that tell a gate how it stands. Whom it is to trust comes with the first line, and again when that changes: a gate may wait
 * for longer than an authority lives.
 */
export function createWaitingLines(
  trust: () => Trust,
  nowMs: () => number,
): (place: { position: number; of: number }, lease: Lease | undefined) => object {
  let told: string | undefined;
  return (place, lease) => {
    const hold = lease?.status.hold;
    const { ca, urls } = trust();
    const isNews = ca !== told;
    told = ca;
    return {
      state: "waiting",
      ...place,
      ...(hold && { holder: hold.holder, since: isoTime(hold.acquiredMs), expires: isoTime(hold.expiresMs) }),
      ...(lease &&
        defined({
          heldBack: heldBack(lease, nowMs())?.why ?? lease.status.awaited,
          turn: place.position <= TOLD_PLACES ? describeTurn(lease, place.position, nowMs()) : undefined,
        })),
      ...(isNews && { ca, urls }),
    };
  };
}

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
