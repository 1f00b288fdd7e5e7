import { type Hold, keyOf } from "../../../lease/types.ts";
import type { Clock } from "../../../shared/clock.ts";
import { LruMap } from "../../../shared/lru-map.ts";

/** What is forgotten is written once more. */
const REMEMBERED_LEASES = 10_000;

/**
 * Which renewals this replica itself has written. How long ago that was is measured on its monotonic clock: the time of day in a hold may be
 * another replica's, or from before a clock was set.
 */
export interface WrittenRenewals {
  /** Notes that `hold`, a renewal, was written by a call that was sent at `sentMs` or later, monotonic. */
  note(lease: LeaseRef, hold: Hold, sentMs: number): void;
  /** How long ago, at most, this replica wrote the renewal that `hold` shows; Infinity if that is not known. */
  agoMs(lease: LeaseRef, hold: Hold): number;
}

interface LeaseRef {
  namespace: string;
  name: string;
}

export function createWrittenRenewals(clock: Pick<Clock, "monotonicMs">): WrittenRenewals {
  const latest = new LruMap<string, { renewal: string; sentMs: number }>(REMEMBERED_LEASES);
  const renewalOf = ({ token, renewals, expiresMs }: Hold) => `${token}/${renewals}/${expiresMs}`;
  return {
    note: (lease, hold, sentMs) => latest.set(keyOf(lease), { renewal: renewalOf(hold), sentMs }),
    agoMs(lease, hold) {
      const known = latest.get(keyOf(lease));
      return known?.renewal === renewalOf(hold)
        ? clock.monotonicMs() - known.sentMs
        : Number.POSITIVE_INFINITY;
    },
  };
}
