import type { HoldTimers } from "../lease/decision.ts";
import type { Hold, Lease } from "../lease/types.ts";
import { keyOf } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";

interface Seen {
  token: number;
  renewal: string;
  heldSinceMs: number;
  renewedSinceMs: number;
  expiredSinceMs?: number;
  endingSinceMs?: number;
  idleSinceMs?: number;
}

export interface HolderState {
  /** All of them are being deleted, terminal or gone. */
  isEnding: boolean;
  /** None of them is at work. */
  isIdle: boolean;
}

/**
 * How long holds have lasted, been silent, expired and been ending, measured from when this replica saw it, on its monotonic clock:
 * never from a time that somebody else wrote. A hold that was never seen counts from now, so after `reset` (a new term) every
 * holder gets its whole TTL once more: at most one TTL too late, never too early.
 */
export interface HoldClock {
  /** Notes what `lease` shows; call it for every version as it is seen. */
  observe(lease: Lease): void;
  /** Notes how those stand who may run under the hold. */
  observeHolder(lease: Lease, holder: HolderState): void;
  timers(lease: Lease): HoldTimers;
  /** Forgets a deleted Lease. */
  forget(key: string): void;
  /** Counts everything anew. */
  reset(): void;
}

export function createHoldClock(clock: Clock): HoldClock {
  const seen = new Map<string, Seen>();

  function observe(lease: Lease): Seen | undefined {
    const key = keyOf(lease);
    const { hold } = lease.status;
    if (!hold) {
      seen.delete(key);
      return undefined;
    }
    const nowMs = clock.monotonicMs();
    const renewal = renewalOf(hold);
    const before = seen.get(key);
    const entry: Seen =
      before?.token === hold.token
        ? before
        : { token: hold.token, renewal, heldSinceMs: nowMs, renewedSinceMs: nowMs };
    if (entry.renewal !== renewal) {
      entry.renewal = renewal;
      entry.renewedSinceMs = nowMs;
    }
    if (hold.expired) entry.expiredSinceMs ??= nowMs;
    seen.set(key, entry);
    return entry;
  }

  return {
    observe: (lease) => void observe(lease),
    observeHolder(lease, { isEnding, isIdle }) {
      const entry = observe(lease);
      if (!entry) return;
      if (isEnding) entry.endingSinceMs ??= clock.monotonicMs();
      else delete entry.endingSinceMs;
      if (isIdle) entry.idleSinceMs ??= clock.monotonicMs();
      else delete entry.idleSinceMs;
    },
    timers(lease) {
      const entry = observe(lease);
      const nowMs = clock.monotonicMs();
      const since = (ms: number | undefined) => (ms === undefined ? 0 : nowMs - ms);
      return {
        heldForMs: since(entry?.heldSinceMs),
        silentForMs: since(entry?.renewedSinceMs),
        expiredForMs: since(entry?.expiredSinceMs),
        endingForMs: since(entry?.endingSinceMs),
        idleForMs: since(entry?.idleSinceMs),
      };
    },
    forget: (key) => void seen.delete(key),
    reset: () => seen.clear(),
  };
}

/** Differs between two renewals of one hold. */
function renewalOf({ renewals, confirmed, expiresMs }: Hold): string {
  return `${renewals}/${confirmed}/${expiresMs}`;
}
