/**
 * Everybody who waits at this replica, and who of them is told of a change: the claimant that a Lease shows as its holder, all who wait for
 * a Lease when its holder changes, or what holds its grants back, and the claimant whose request was deleted or answered. A renewal is told to nobody. The holder is told
 * first: it would otherwise wait for all the others.
 *
 * Nobody waits at a replica that receives no changes itself, or that is about to end: its waiters are sent to other replicas, those who
 * have waited longest first, and only so many at a time as the others can take.
 */

import { isAnswered, NOT_CONFIRMED } from "../../../lease/order.ts";
import { heldBack } from "../../../lease/policies/held-back.ts";
import { keyOf, type Lease, type LeaseRequest } from "../../../lease/types.ts";
import type { Clock } from "../../../shared/clock.ts";
import type { GateApiOptions } from "../options.ts";
import { isFresh } from "../wire/freshness.ts";
import type { QueueView } from "./queue-view.ts";

/** A claimant that waits at this replica. The callbacks must not throw. */
export interface Waiter {
  /** Key of the Lease: `namespace/name`. */
  key: string;
  /** uid under which it would hold: a pod's, or its Job's. */
  claimant: string;
  /** Set for a pod that would hold by itself. */
  request?: LeaseRequest;
  /** The Lease shows it as the holder. */
  onHolding(): void;
  /** Somebody else holds now, or nobody, or a rule of its owner has come or gone. */
  onHolderChange(): void;
  /** Its request was deleted; `last` is its last version, if that is known. */
  onRequestDeleted(last: LeaseRequest | undefined): void;
  /** Its request was denied, or shows that it was granted. */
  onRequestAnswered(answered: LeaseRequest): void;
  /** Its grant was taken back, since no gate answered it: its gate has to ask again. */
  onPassedOver(): void;
  /** It has to wait at another replica, and is no longer a waiter here. */
  onSentAway(): void;
}

const LOOK_EVERY_MS = 1_000;
/** 250 in a second: a TLS handshake costs the replica that takes them about a millisecond. 10,000 are gone after 40 s. */
const SEND_AWAY_EVERY_MS = 100;
const SEND_AWAY_AT_ONCE = 25;

/** How many are told of a new place at once: writing to them takes some milliseconds. */
const TOLD_AT_ONCE = 50;

export interface Waiters {
  add(waiter: Waiter): void;
  remove(waiter: Waiter): void;
  /** Sends everybody away, and whoever still comes. Resolves when nobody is left. */
  drain(): Promise<void>;
}

export function createWaiters(
  { caches, clock }: { caches: Pick<GateApiOptions["caches"], "leases" | "requests">; clock: Clock },
  queue: Pick<QueueView, "outdate" | "forget">,
): Waiters {
  /** By Lease, then by claimant: a pod waits at most once, and with the others of its Job. */
  const byLease = new Map<string, Map<string, Set<Waiter>>>();
  /** The one who has waited longest comes first. */
  const all = new Set<Waiter>();
  const emptied = Promise.withResolvers<void>();
  let isDraining = false;
  let wasFresh = true;
  let stopLooking = () => {};

  /** By Lease: cancels the round in which its waiters are told of the holder. */
  const rounds = new Map<string, () => void>();

  /** Tells all waiters, a few at a time, with room for other work in between. A later round replaces an earlier one. */
  function tellInTurn(key: string, waiters: readonly Waiter[], holder: string | undefined): void {
    rounds.get(key)?.();
    rounds.delete(key);
    for (const waiter of waiters.slice(0, TOLD_AT_ONCE))
      if (all.has(waiter) && waiter.claimant !== holder) waiter.onHolderChange();
    const left = waiters.slice(TOLD_AT_ONCE);
    if (left.length > 0)
      rounds.set(
        key,
        clock.after(0, () => tellInTurn(key, left, holder)),
      );
  }

  function look(): void {
    stopLooking();
    if (all.size === 0) return;
    const fresh = isFresh(caches, clock);
    // At its first look after a pause a process has had no chance to hear anything.
    const sendsAway = isDraining || !(fresh || wasFresh);
    wasFresh = fresh;
    if (sendsAway) for (const waiter of all.values().take(SEND_AWAY_AT_ONCE)) waiter.onSentAway();
    stopLooking = clock.after(sendsAway ? SEND_AWAY_EVERY_MS : LOOK_EVERY_MS, look);
  }

  const ruleOf = (lease: Lease | undefined) =>
    lease && (heldBack(lease, clock.nowMs())?.why ?? lease.status.awaited);

  caches.leases.subscribe(({ type, object, old }) => {
    const key = keyOf(object);
    const waiting = byLease.get(key);
    if (!waiting) return;
    const hold = type === "deleted" ? undefined : object.status.hold;
    for (const waiter of [...(waiting.get(hold?.ref.uid ?? "") ?? [])]) waiter.onHolding();
    const before = type === "deleted" ? object.status.hold : old?.status.hold;
    const isSameHold = hold?.token === before?.token;
    if (isSameHold && ruleOf(object) === ruleOf(old)) return;
    queue.outdate(key, { atOnce: true });
    tellInTurn(
      key,
      [...waiting.values()].flatMap((waiters) => [...waiters]),
      hold?.ref.uid,
    );
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
      else if (isAnswered(object)) waiter.onRequestAnswered(object);
    }
  });

  return {
    add(waiter) {
      const waiting = byLease.get(waiter.key) ?? new Map<string, Set<Waiter>>();
      waiting.set(waiter.claimant, (waiting.get(waiter.claimant) ?? new Set()).add(waiter));
      byLease.set(waiter.key, waiting);
      all.add(waiter);
      if (all.size === 1) stopLooking = clock.after(isDraining ? 0 : LOOK_EVERY_MS, look);
    },
    remove(waiter) {
      all.delete(waiter);
      if (isDraining && all.size === 0) emptied.resolve();
      const { key, claimant } = waiter;
      const waiting = byLease.get(key);
      const together = waiting?.get(claimant);
      if (!waiting || !together?.delete(waiter) || together.size > 0) return;
      waiting.delete(claimant);
      if (waiting.size > 0) return;
      byLease.delete(key);
      rounds.get(key)?.();
      rounds.delete(key);
      queue.forget(key);
    },
    drain() {
      isDraining = true;
      if (all.size === 0) emptied.resolve();
      look();
      return emptied.promise;
    },
  };
}
