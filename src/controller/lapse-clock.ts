import { EXPIRY_ALLOWANCE_MS } from "../lease/decision.ts";
import type { LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { LruMap } from "../shared/lru-map.ts";

/**
 * How long clients' holds of deleted Leases have been known to be left over, on this replica's monotonic clock. Nothing can renew
 * them, so after their ttl they are over. A new term counts anew: too late by at most one ttl, never too early.
 */
export interface LapseClock {
  /** Whether the hold that `request` tells of is over; the first question begins to count. */
  hasLapsed(request: LeaseRequest, leaseTtlMs: number): boolean;
  /** The hold that `request` tells of, if any, is recorded: nothing is left over yet. */
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
