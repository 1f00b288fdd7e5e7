import { NOT_CONFIRMED } from "../lease/order.ts";
import type { LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { LruMap } from "../shared/lru-map.ts";
import type { Steps } from "./steps.ts";

/** How long a request that cannot be marked is passed over. */
const PASSED_OVER_FOR_MS = 60_000;
const REMEMBERED_REQUESTS = 10_000;

const MARK = { phase: "Pending", reason: NOT_CONFIRMED } as const;

/**
 * A claimant that has not confirmed a grant is passed over until its gate asks again: its request is marked. If the mark cannot be written,
 * the arbiter remembers the request for a while, and marks it as soon as it can. Only the mark tells the gate to ask.
 */
export interface PassedOver {
  /** The request, with the mark if it is remembered. */
  shown(request: LeaseRequest): LeaseRequest;
  /** Marks it, or remembers it. */
  add(request: LeaseRequest): Promise<void>;
  /** Marks those of `requests` (as stored) that are remembered. */
  mark(requests: readonly LeaseRequest[]): Promise<void>;
  /** Time until the first of `requests` stops being passed over by memory; infinite: none is. */
  endsInMs(requests: readonly LeaseRequest[]): number;
}

export function createPassedOver({ steps, clock }: { steps: Steps; clock: Clock }): PassedOver {
  /** By uid. */
  const untilMs = new LruMap<string, number>(REMEMBERED_REQUESTS);
  const leftMs = ({ uid }: LeaseRequest) => (untilMs.get(uid) ?? 0) - clock.monotonicMs();
  const isRemembered = (request: LeaseRequest) => request.status.phase === "Pending" && leftMs(request) > 0;
  const write = (request: LeaseRequest) => steps.mark("pass over", request, MARK);

  return {
    shown: (request) => (isRemembered(request) ? { ...request, status: MARK } : request),
    async add(request) {
      if (!(await write(request))) untilMs.set(request.uid, clock.monotonicMs() + PASSED_OVER_FOR_MS);
    },
    async mark(requests) {
      for (const request of requests.filter(isRemembered))
        if (await write(request)) untilMs.delete(request.uid);
    },
    endsInMs: (requests) => Math.min(Number.POSITIVE_INFINITY, ...requests.filter(isRemembered).map(leftMs)),
  };
}
