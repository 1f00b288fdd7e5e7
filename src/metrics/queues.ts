import { isWaiting, wasGranted } from "../lease/order.ts";
import type { Lease, LeaseRequest } from "../lease/types.ts";

/** Who waits, for one Lease or for all. */
export interface Queue {
  waiters: number;
  /** Of whoever has waited longest; 0 if nobody waits. */
  oldestWaitMs: number;
}

/** One pass over `requests`, which need no order. A holder does not wait, whatever its request says. */
export function queueOf(
  requests: Iterable<LeaseRequest>,
  leaseOf: (request: LeaseRequest) => Lease | undefined,
  nowMs: number,
): Queue {
  let [waiters, sinceMs] = [0, nowMs];
  for (const request of requests) {
    if (!isWaiting(request) || wasGranted(request, leaseOf(request))) continue;
    waiters++;
    sinceMs = Math.min(sinceMs, request.spec.requestedAtMs);
  }
  return { waiters, oldestWaitMs: nowMs - sinceMs };
}
