/** The place of a request in the queue, in words. Pure. */
import { waitingInOrder, wasGranted } from "../../lease/order.ts";
import type { Lease, LeaseRequest } from "../../lease/types.ts";
import { enumerate } from "./wording.ts";

export interface Place {
  /** The first one is 1. */
  position: number;
  of: number;
  /** Who is served before, the next one first. */
  ahead: readonly LeaseRequest[];
}

/** The place of `own` among `requests`; undefined if it does not wait any more. */
export function placeOf(
  lease: Lease | undefined,
  requests: readonly LeaseRequest[],
  own: LeaseRequest,
): Place | undefined {
  // A klease that cannot be read counts with the default priority.
  const order = lease ?? { spec: { ttlMs: 0, priority: 0, renewable: true } };
  const waiting = waitingInOrder(order, requests).filter((request) => !wasGranted(request, lease));
  const index = waiting.findIndex(({ uid }) => uid === own.uid);
  return index < 0 ? undefined : { position: index + 1, of: waiting.length, ahead: waiting.slice(0, index) };
}

/** "as number 3 of 4 in the queue, behind a and b (by priority: a 7; its own is 0)". */
export function describePlace(
  { position, of, ahead }: Place,
  own: LeaseRequest,
  lease: Lease | undefined,
): string {
  if (ahead.length === 0)
    return of === 1 ? "and nobody else waits for it" : `as the next of ${of} in the queue`;
  const priorityOf = ({ spec }: LeaseRequest) => spec.priority ?? lease?.spec.priority ?? 0;
  const before = ahead.filter((request) => priorityOf(request) > priorityOf(own));
  const why =
    before.length === 0
      ? ""
      : ` (by priority: ${enumerate(before.map((each) => `${each.spec.holder} ${priorityOf(each)}`))}; its own is ${priorityOf(own)})`;
  return `as number ${position} of ${of} in the queue, behind ${enumerate(ahead.map(({ spec }) => spec.holder))}${why}`;
}
