/**
 * Everybody who waits at this replica, and who of them is told of a change: the claimant that a Lease shows as its holder, all who
 * wait for a Lease when its holder changes, and the one whose request was deleted or denied. A renewal tells nobody.
 */
import { isDenied, NOT_CONFIRMED } from "../../lease/order.ts";
import { keyOf, type LeaseRequest } from "../../lease/types.ts";
import type { GateApiOptions } from "./options.ts";
import type { QueueView } from "./queue-view.ts";

/** One who waits. The callbacks must not throw. */
export interface Waiter {
  /** Of the Lease: `namespace/name`. */
  key: string;
  /** uid under which it would hold: a pod's, or its Job's. */
  claimant: string;
  /** There for a pod that would hold by itself. */
  request?: LeaseRequest;
  /** The Lease shows it as the holder. */
  onHolding(): void;
  /** Somebody else holds now, or nobody. */
  onHolderChange(): void;
  /** Its request was deleted; `last` is its last version, if that is known. */
  onRequestDeleted(last: LeaseRequest | undefined): void;
  onRequestDenied(denied: LeaseRequest): void;
  /** A grant was taken back, since no gate answered it: its gate has to ask again. */
  onPassedOver(): void;
}

export interface Waiters {
  add(waiter: Waiter): void;
  remove(waiter: Waiter): void;
}

export function createWaiters(
  { caches }: { caches: Pick<GateApiOptions["caches"], "leases" | "requests"> },
  queue: Pick<QueueView, "outdate" | "forget">,
): Waiters {
  /** By Lease, then by claimant: a pod waits at most once, and with the others of its Job. */
  const byLease = new Map<string, Map<string, Set<Waiter>>>();

  caches.leases.subscribe(({ type, object, old }) => {
    const key = keyOf(object);
    const waiting = byLease.get(key);
    if (!waiting) return;
    const hold = type === "deleted" ? undefined : object.status.hold;
    for (const waiter of [...(waiting.get(hold?.ref.uid ?? "") ?? [])]) waiter.onHolding();
    const before = type === "deleted" ? object.status.hold : old?.status.hold;
    if (hold?.token === before?.token) return;
    queue.outdate(key, { atOnce: true });
    for (const waiter of [...waiting.values()].flatMap((waiters) => [...waiters]))
      if (waiter.claimant !== hold?.ref.uid) waiter.onHolderChange();
  });

  caches.requests.subscribe(({ type, object, finalStateKnown }) => {
    const key = keyOf({ namespace: object.namespace, name: object.spec.lease });
    const waiting = byLease.get(key);
    if (!waiting) return;
    queue.outdate(key);
    for (const waiter of [...(waiting.get(object.spec.ref?.uid ?? "") ?? [])]) {
      if (waiter.request?.uid !== object.uid) continue;
      if (type === "deleted") waiter.onRequestDeleted(finalStateKnown ? object : undefined);
      else if (object.status.reason === NOT_CONFIRMED) waiter.onPassedOver();
      else if (isDenied(object)) waiter.onRequestDenied(object);
    }
  });

  return {
    add(waiter) {
      const waiting = byLease.get(waiter.key) ?? new Map<string, Set<Waiter>>();
      waiting.set(waiter.claimant, (waiting.get(waiter.claimant) ?? new Set()).add(waiter));
      byLease.set(waiter.key, waiting);
    },
    remove(waiter) {
      const { key, claimant } = waiter;
      const waiting = byLease.get(key);
      const together = waiting?.get(claimant);
      if (!waiting || !together?.delete(waiter) || together.size > 0) return;
      waiting.delete(claimant);
      if (waiting.size > 0) return;
      byLease.delete(key);
      queue.forget(key);
    },
  };
}
