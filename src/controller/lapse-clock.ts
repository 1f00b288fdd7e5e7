import { EXPIRY_ALLOWANCE_MS } from "../lease/decision.ts";
import type { LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { LruMap } from "../shared/lru-map.ts";

/**
 * How long holds of deleted Leases that only their requests record have been known, on this replica's monotonic clock. Nothing can
 * renew them, so after their ttl they are over. A new term counts anew: too late by at most one ttl, never too early.
 */
export interface LapseClock {
  /** Whether the hold that `request` records is over; the first call starts the count. */
  hasLapsed(request: LeaseRequest, leaseTtlMs: number): boolean;
  /** The Lease itself records the hold of `request`, if any: nothing is left over yet. */
  forget(request: LeaseRequest): void;
  /** Counts only what is asked for from now on. */
  reset(): void;
}

export function createLapseClock(clock: Clock): LapseClock {
  const sinceMs = new LruMap<string, number>(10_000);
  return {
    hasLapsed({ uid, spec, status }, leaseTtlMs) {
      const nowMs = clock.monotonicMs();
      const knownSinceMs = sinceMs.get(uid) ?? nowMs;
      sinceMs.set(uid, knownSinceMs);
      const ttlMs = status.holdTtlMs ?? spec.ttlMs ?? leaseTtlMs;
      return nowMs - knownSinceMs >= ttlMs + EXPIRY_ALLOWANCE_MS;
    },
    forget: ({ uid }) => sinceMs.delete(uid),
    reset: () => sinceMs.clear(),
  };
}
