/** When somebody who waits is told why. The times count from the request, so that every arbiter finds the same ones. */
import { isOneTry, isWaiting, wasGranted } from "./order.ts";
import type { Lease, LeaseRequest } from "./types.ts";

/** Whoever waits for less is not worth an event. */
const FIRST_AFTER_MS = 10_000;
/** The API server forgets events after an hour. */
const AGAIN_EVERY_MS = 1_800_000;

/** One of the times at which a waiter is told. */
export interface Notice {
  /** Counts from 0. */
  number: number;
  dueMs: number;
}

/** The latest notice that is due for `request`, which waits for `lease`; undefined: none. */
export function noticeDue(
  request: LeaseRequest,
  lease: Lease | undefined,
  nowMs: number,
): Notice | undefined {
  if (!isWaiting(request) || isOneTry(request) || wasGranted(request, lease)) return undefined;
  const firstMs = request.spec.requestedAtMs + FIRST_AFTER_MS;
  const number = lastNumber(request, nowMs);
  return number < 0 ? undefined : { number, dueMs: firstMs + number * AGAIN_EVERY_MS };
}

/** The numbers of the notices of `request` that were due by `grantedMs` and that the API server still has. */
export function noticesBefore(request: LeaseRequest, grantedMs: number): number[] {
  const last = lastNumber(request, grantedMs);
  return [last, last - 1].filter((number) => number >= 0);
}

/** Below 0 before the first. */
function lastNumber({ spec }: LeaseRequest, nowMs: number): number {
  return Math.floor((nowMs - spec.requestedAtMs - FIRST_AFTER_MS) / AGAIN_EVERY_MS);
}
