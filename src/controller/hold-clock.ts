import type { HoldTimers } from "../lease/decision.ts";
import { podsOf } from "../lease/hold.ts";
import type { Hold, HolderRef, Lease } from "../lease/types.ts";
import { keyOf } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";

interface Seen {
  token: number;
  renewal: string;
  heldSinceMs: number;
  renewedSinceMs: number;
  answerableSinceMs?: number;
  expiredSinceMs?: number;
  endingSinceMs?: number;
  isOutOfReach?: boolean;
  idleSinceMs?: number;
}

/** When this replica saw each pod begin to be stopped; -Infinity if that was before it first saw the hold. */
interface Stops {
  token: number;
  /** By uid and stoppingSinceMs. */
  sinceMs: Map<string, number>;
}

export interface HolderState {
  /** Each of its pods is being deleted, terminal or gone, or its deletion or live look is stuck. */
  isEnding: boolean;
  /** A pod's deletion or live look is stuck. When that changes, the time to end begins anew. */
  isOutOfReach: boolean;
  /** None of them is at work. */
  isIdle: boolean;
  /** Whether its gate could answer a grant; undefined where that is not known. */
  isAnswerable: boolean | undefined;
}

/**
 * How long holds have lasted, been silent, answerable, expired and been ending, measured from when this replica saw it, on its
 * monotonic clock: never from a time that somebody else wrote, except in `stoppingForMs`. A hold that was never seen counts from now,
 * so after `reset` (a new term) every holder gets its whole TTL once more: at most one TTL too late, never too early.
 */
export interface HoldClock {
  /** Notes what `lease` shows; call it for every version as it is seen. */
  observe(lease: Lease): void;
  /** Notes the state of the pods that may run under the hold. */
  observeHolder(lease: Lease, holder: HolderState): void;
  timers(lease: Lease): HoldTimers;
  /**
   * For how long, at least, the kubelet of this pod has been stopping it; undefined where nobody said so. The status says since when, by the
   * API server's time, so that a new arbiter goes on counting. If this replica saw the stop begin, its monotonic clock has to agree: a time
   * of day that jumps, or is wrong, shortens nothing. A replica that started later has only the time of day.
   */
  stoppingForMs(lease: Lease, pod: Pick<HolderRef, "uid">): number | undefined;
  /** Forgets a deleted Lease. */
  forget(key: string): void;
  /** Counts everything anew, except stops, whose beginning the status records. */
  reset(): void;
}

export function createHoldClock(clock: Clock): HoldClock {
  const seen = new Map<string, Seen>();
  const stops = new Map<string, Stops>();

  function observeStops(key: string, hold: Hold): void {
    const before = stops.get(key);
    const isNew = before?.token !== hold.token;
    const sinceMs = new Map<string, number>();
    for (const ref of podsOf(hold)) {
      if (ref.stoppingSinceMs === undefined) continue;
      const stop = `${ref.uid} ${ref.stoppingSinceMs}`;
      sinceMs.set(stop, isNew ? Number.NEGATIVE_INFINITY : (before.sinceMs.get(stop) ?? clock.monotonicMs()));
    }
    stops.set(key, { token: hold.token, sinceMs });
  }

  function observe(lease: Lease): Seen | undefined {
    const key = keyOf(lease);
    const { hold } = lease.status;
    if (!hold) {
      seen.delete(key);
      stops.delete(key);
      return undefined;
    }
    observeStops(key, hold);
    const nowMs = clock.monotonicMs();
    const renewal = renewalOf(hold);
    const before = seen.get(key);
    const entry: Seen =
      before?.token === hold.token
        ? before
        : { token: hold.token, renewal, heldSinceMs: nowMs, renewedSinceMs: nowMs, answerableSinceMs: nowMs };
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
    observeHolder(lease, { isEnding, isOutOfReach, isIdle, isAnswerable }) {
      const entry = observe(lease);
      if (!entry) return;
      if (entry.isOutOfReach !== isOutOfReach) delete entry.endingSinceMs;
      entry.isOutOfReach = isOutOfReach;
      if (isEnding) entry.endingSinceMs ??= clock.monotonicMs();
      else delete entry.endingSinceMs;
      if (isIdle) entry.idleSinceMs ??= clock.monotonicMs();
      else delete entry.idleSinceMs;
      if (isAnswerable) entry.answerableSinceMs ??= clock.monotonicMs();
      else if (isAnswerable === false) delete entry.answerableSinceMs;
    },
    timers(lease) {
      const entry = observe(lease);
      const nowMs = clock.monotonicMs();
      const since = (ms: number | undefined) => (ms === undefined ? 0 : nowMs - ms);
      return {
        heldForMs: since(entry?.heldSinceMs),
        silentForMs: since(entry?.renewedSinceMs),
        answerableForMs: since(entry?.answerableSinceMs),
        expiredForMs: since(entry?.expiredSinceMs),
        endingForMs: since(entry?.endingSinceMs),
        idleForMs: since(entry?.idleSinceMs),
      };
    },
    stoppingForMs(lease, { uid }) {
      const { hold } = lease.status;
      const since = hold && podsOf(hold).find((pod) => pod.uid === uid)?.stoppingSinceMs;
      if (since === undefined) return undefined;
      observe(lease);
      const seenMs = stops.get(keyOf(lease))?.sinceMs.get(`${uid} ${since}`) ?? clock.monotonicMs();
      return Math.min(clock.nowMs() - since, clock.monotonicMs() - seenMs);
    },
    forget(key) {
      seen.delete(key);
      stops.delete(key);
    },
    reset: () => seen.clear(),
  };
}

/** Differs between two renewals of one hold. */
function renewalOf({ renewals, confirmed, expiresMs }: Hold): string {
  return `${renewals}/${confirmed}/${expiresMs}`;
}
