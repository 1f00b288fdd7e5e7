import type { Clock } from "../../../shared/clock.ts";
import { LruMap } from "../../../shared/lru-map.ts";
import { Refusal } from "../../refusal.ts";

/** A keeper calls a few times in its ttl, and a few times more where it is not answered; a gate each time that its connection ends. */
const AT_ONCE = 40;
const PER_SECOND = 10;
const REMEMBERED_PODS = 50_000;

export interface CallRates {
  /** Refuses with TooManyRequests, for the caller's own rate, where the pod of this uid calls more often than it has any reason to. */
  take(uid: string): void;
}

/** One token bucket per pod, so that no pod uses up another's. */
export function createCallRates(clock: Pick<Clock, "monotonicMs">): CallRates {
  const buckets = new LruMap<string, { left: number; atMs: number }>(REMEMBERED_PODS);
  return {
    take(uid) {
      const nowMs = clock.monotonicMs();
      const { left, atMs } = buckets.get(uid) ?? { left: AT_ONCE, atMs: nowMs };
      const filled = Math.min(AT_ONCE, left + ((nowMs - atMs) / 1_000) * PER_SECOND);
      buckets.set(uid, { left: Math.max(0, filled - 1), atMs: nowMs });
      if (filled >= 1) return;
      const message = `this pod calls more than ${PER_SECOND} times a second; try again later`;
      throw new Refusal("TooManyRequests", message, { elsewhere: false, retryAfterMs: 1_000 });
    },
  };
}
