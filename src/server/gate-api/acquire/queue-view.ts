import { compareRequests, type Place, waitingInOrder, wasGranted } from "../../../lease/order.ts";
import type { Lease, LeaseRequest } from "../../../lease/types.ts";
import { BY_LEASE } from "../../../objects/caches.ts";
import type { Clock } from "../../../shared/clock.ts";
import type { GateApiOptions } from "../options.ts";

/**
 * A queue of n is sorted at most every n times this, so that sorting takes a small share of the time, however many wait and ask. Until then
 * newcomers see where they will be inserted.
 */
const REST_MS_PER_WAITER = 0.1;

interface Snapshot {
  ordered: readonly LeaseRequest[];
  positions: ReadonlyMap<string, number>;
  takenAtMs: number;
  isOutdated: boolean;
}

/** Places in the queues of Leases. A queue is sorted once for all who ask; nothing of it is ever written. */
export interface QueueView {
  placeOf(key: string, request: LeaseRequest): Place;
  /** The queue of the Lease `key` has changed. `atOnce`: the next question is answered from a newly sorted queue. */
  outdate(key: string, options?: { atOnce?: boolean }): void;
  /** Nobody asks about this queue any more. */
  forget(key: string): void;
}

export interface QueueViewOptions {
  caches: Pick<GateApiOptions["caches"], "leases" | "requests">;
  clock: Clock;
}

export function createQueueView({ caches, clock }: QueueViewOptions): QueueView {
  const snapshots = new Map<string, Snapshot>();

  function snapshotOf(key: string): Snapshot {
    const before = snapshots.get(key);
    const nowMs = clock.monotonicMs();
    if (before) {
      const restMs = before.ordered.length * REST_MS_PER_WAITER;
      if (!before.isOutdated || nowMs - before.takenAtMs < restMs) return before;
    }
    const lease = caches.leases.store.get(key);
    const ordered = waitingInOrder(specOf(lease), caches.requests.store.byIndex(BY_LEASE, key)).filter(
      (request) => !wasGranted(request, lease),
    );
    const positions = new Map(ordered.map(({ uid }, index) => [uid, index + 1]));
    const snapshot = { ordered, positions, takenAtMs: nowMs, isOutdated: false };
    snapshots.set(key, snapshot);
    return snapshot;
  }

  return {
    placeOf(key, request) {
      const { ordered, positions } = snapshotOf(key);
      const position = positions.get(request.uid);
      if (position !== undefined) return { position, of: ordered.length };
      const before = countBefore(ordered, request, compareRequests(specOf(caches.leases.store.get(key))));
      return { position: before + 1, of: ordered.length + 1 };
    },
    outdate(key, { atOnce = false } = {}) {
      const snapshot = snapshots.get(key);
      if (!snapshot) return;
      if (atOnce) snapshots.delete(key);
      else snapshot.isOutdated = true;
    },
    forget: (key) => void snapshots.delete(key),
  };
}

/** A Lease that does not exist yet has no priority of its own. */
function specOf(lease: Lease | undefined): Pick<Lease, "spec"> {
  return lease ?? { spec: { ttlMs: 0, priority: 0, renewable: true } };
}

function countBefore(
  ordered: readonly LeaseRequest[],
  request: LeaseRequest,
  compare: (a: LeaseRequest, b: LeaseRequest) => number,
): number {
  let [low, high] = [0, ordered.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = ordered[middle];
    if (other && compare(other, request) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
