import { type Evidence, isGated, isPast } from "../evidence.ts";
import { isDone } from "../once.ts";
import { compareAge, isOneTry, isWaiting, NOT_CONFIRMED, wasGranted } from "../order.ts";
import type { HolderRef, Lease, LeaseRequest } from "../types.ts";

/** Why a request was denied: as many wait as the Lease lets wait. */
export const QUEUE_FULL = "QueueFull";

/** The same in words. The number may have changed since. */
export function describeQueueFull(lease: Pick<Lease, "spec"> | undefined): string {
  const most = lease?.spec.maxWaiting;
  return most === undefined
    ? "as many waited as its maxWaiting let wait"
    : `as many wait already as its maxWaiting of ${most} lets wait`;
}

export interface Newcomers {
  /** Of those who have not been told yet whether they may wait: those who may, and those who may not. */
  mayWait: LeaseRequest[];
  turnedAway: LeaseRequest[];
}

/**
 * `spec.maxWaiting`: of those who wait, beyond so many the newest is turned away, whatever its priority. Who may wait is decided once and
 * noted, so nobody is turned away later: not because the number is lowered, nor because a grant is taken back. Whoever waits when the number
 * is set for the first time is a newcomer.
 *
 * Limit: a pod that waits unscheduled and a Job that waits as a whole count, but nobody of them could hear a refusal, so they wait on. With
 * `if-held: skip` their one try is no wait, and their Job is skipped.
 */
export function newcomersOf(
  lease: Pick<Lease, "spec" | "status">,
  requests: readonly LeaseRequest[],
  evidenceOf: (ref: HolderRef) => Evidence,
): Newcomers {
  const { maxWaiting } = lease.spec;
  const found: Newcomers = { mayWait: [], turnedAway: [] };
  if (maxWaiting === undefined) return found;
  const waiting = requests
    .filter((request) => isWaiting(request) && !isOneTry(request) && !wasGranted(request, lease))
    .filter((request) => !isDone(lease.status, request))
    .filter(({ spec: { ref } }) => !ref || !isPast(evidenceOf(ref)))
    .sort(compareAge);
  for (const [before, request] of waiting.entries()) {
    if (request.status.mayWait || request.status.reason === NOT_CONFIRMED) continue;
    if (before < maxWaiting) found.mayWait.push(request);
    else if (canHear(request, evidenceOf)) found.turnedAway.push(request);
  }
  return found;
}

function canHear({ spec: { ref } }: LeaseRequest, evidenceOf: (ref: HolderRef) => Evidence): boolean {
  if (!ref) return true;
  const known = evidenceOf(ref);
  return known.is === "present" && !isGated(known);
}
