import { type Evidence, isPast } from "./evidence.ts";
import { isAlreadyDone, isDone } from "./once.ts";
import type { HolderRef, Lease, LeaseRequest, LeaseStatus, PastHold } from "./types.ts";

/**
 * The one order in which waiters are served, for the arbiter and for everybody who shows a place in the queue: priority
 * descending (a request without one has the Lease's), then the time it was requested, then its name.
 */
export function compareRequests(lease: Pick<Lease, "spec">): (a: LeaseRequest, b: LeaseRequest) => number {
  const priorityOf = (request: LeaseRequest) => request.spec.priority ?? lease.spec.priority;
  return (a, b) => priorityOf(b) - priorityOf(a) || compareAge(a, b);
}

/** The same whatever their priorities: the oldest request first. */
export function compareAge(a: LeaseRequest, b: LeaseRequest): number {
  return a.spec.requestedAtMs - b.spec.requestedAtMs || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/** A place in a queue; the first one is 1. */
export interface Place {
  position: number;
  of: number;
}

/** A grant that was not confirmed in time was taken back; its request keeps its place but is passed over until its claimant asks again. */
export const NOT_CONFIRMED = "NotConfirmed";

/** The status of a request that waits again after a grant that came to nothing. It was let wait before, or was granted at once. */
export const QUEUED_AGAIN = { phase: "Pending", mayWait: true } as const;

/** Its Job ends without running: see src/controller/skips.ts. */
export const SKIPPED = "Skipped";

/** Whether `request` still wants to be granted. */
export function isWaiting(request: LeaseRequest): boolean {
  return request.status.phase === "Pending" && !request.terminating;
}

/**
 * Whether this very request has had its hold of `lease`, although its own status may not say so yet: it was granted last, or was recreated
 * for the current hold. A recreated request carries the grant's time; a later requestedAt means a new request.
 */
export function wasGranted(
  { uid, spec }: LeaseRequest,
  lease: { status: Pick<LeaseStatus, "hold" | "lastRequest"> } | undefined,
): boolean {
  const { hold, lastRequest } = lease?.status ?? {};
  if (uid === lastRequest || hold === undefined) return uid === lastRequest;
  return (spec.ref?.uid ?? uid) === hold.ref.uid && spec.requestedAtMs === hold.acquiredMs;
}

/**
 * Whether the grant that the request shows was taken back: the trace of a late confirmation has overwritten the mark. The request keeps its
 * place.
 */
export function wasTakenBack({ status, terminating }: LeaseRequest, { history }: LeaseStatus): boolean {
  const isOfGrant = ({ token, reason }: PastHold) => token === status.token && reason === NOT_CONFIRMED;
  return status.phase === "Granted" && !terminating && history.some(isOfGrant);
}

/** Whether it was denied, and its claimant may not have heard it yet. A pod whose Job is skipped is not told: it is deleted. */
export function isDenied(request: LeaseRequest): boolean {
  return request.status.phase === "Denied" && !isSkipped(request) && !request.terminating;
}

/** Whether it was granted or denied, and its claimant may be waiting to hear it. */
export function isAnswered(request: LeaseRequest): boolean {
  return isDenied(request) || request.status.phase === "Granted";
}

/** Whether its Job ends without running: it is skipped, or its work is done already. */
export function isSkipped(request: LeaseRequest): boolean {
  const { phase, reason } = request.status;
  return (
    (phase === "Denied" && reason === SKIPPED) || (request.spec.ref !== undefined && isAlreadyDone(request))
  );
}

/** Whether it is to be granted or denied the first time that the arbiter sees it. */
export function isOneTry({ spec: { waitUntilMs, requestedAtMs } }: LeaseRequest): boolean {
  return waitUntilMs !== undefined && waitUntilMs <= requestedAtMs;
}

/**
 * Until when a request counts as waiting; infinite: without limit. A client that died while it waited leaves its request behind,
 * and a pod may have a wait-timeout.
 */
export function waitsUntilMs(request: LeaseRequest): number {
  return !isWaiting(request) || isOneTry(request)
    ? Number.POSITIVE_INFINITY
    : (request.spec.waitUntilMs ?? Number.POSITIVE_INFINITY);
}

/** Whether `request` alone lets it be granted at `nowMs`: it waits, its wait has not ended, and it is not passed over. */
export function isGrantable(request: LeaseRequest, nowMs: number): boolean {
  return isWaiting(request) && request.status.reason !== NOT_CONFIRMED && waitsUntilMs(request) >= nowMs;
}

export interface Queue {
  requests: readonly LeaseRequest[];
  evidenceOf(ref: HolderRef): Evidence;
  nowMs: number;
  /** It is about to be marked as passed over. */
  passOver?: LeaseRequest | undefined;
}

/** How many wait for `lease`, and who is served next, without the cost of putting them in order. */
export function headOfQueue(
  lease: Pick<Lease, "spec" | "status">,
  { requests, evidenceOf, nowMs, passOver }: Queue,
): Pick<LeaseStatus, "waiters" | "next"> {
  const compare = compareRequests(lease);
  const waiting = requests.filter((request) => isWaiting(request) && !wasGranted(request, lease));
  const isUsable = (request: LeaseRequest) =>
    isGrantable(request, nowMs) &&
    !isDone(lease.status, request) &&
    request.uid !== passOver?.uid &&
    !(request.spec.ref && isPast(evidenceOf(request.spec.ref)));
  let first: LeaseRequest | undefined;
  for (const request of waiting)
    if ((!first || compare(request, first) < 0) && isUsable(request)) first = request;
  const next = first && { holder: first.spec.holder, sinceMs: first.spec.requestedAtMs };
  return { waiters: waiting.length, ...(next && { next }) };
}

/** Everybody who waits for `lease`, first one first. */
export function waitingInOrder(lease: Pick<Lease, "spec">, requests: Iterable<LeaseRequest>): LeaseRequest[] {
  return [...requests].filter(isWaiting).sort(compareRequests(lease));
}
