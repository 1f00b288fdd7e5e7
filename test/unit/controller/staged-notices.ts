import { createWaitingNotices } from "../../../src/controller/waiting-notices.ts";
import { createEventPacer } from "../../../src/kube/event-pacer.ts";
import type { EventReport } from "../../../src/kube/events.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import type { Hold, Lease, LeaseRequest } from "../../../src/lease/types.ts";
import { BY_LEASE } from "../../../src/objects/caches.ts";
import { ARBITER_EVENTS_PER_SECOND } from "../../../src/objects/claimant-events.ts";
import { parseJson } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aHold, aRequest, held, NOW_MS } from "../lease/samples.ts";
import { fedReflector } from "./fed-reflector.ts";

export const MINUTE_MS = 60_000;
export const HOLD = aHold({ expiresMs: NOW_MS + 55_000 });

/** A request that a pod has just made. */
export function waiter(name: string, change: Parameters<typeof aRequest>[0] = {}): LeaseRequest {
  const ref = { kind: "Pod", name, uid: `pod-${name}` } as const;
  return aRequest({ ...change, name, spec: { holder: name, ref, ...change.spec } });
}

/** Notices about `requests` for klease nightly, which run-1 holds. */
export function stage(...requests: readonly LeaseRequest[]) {
  const clock = turnedClock(NOW_MS);
  let version = 100;
  const told: (EventReport & { afterMs: number })[] = [];
  const lines: unknown[] = [];
  const logger = createLogger({ destination: { write: (line) => void lines.push(parseJson(line)) } });
  const caches = {
    leases: fedReflector<Lease>(),
    pods: fedReflector<PodView>(),
    requests: fedReflector<LeaseRequest>({
      [BY_LEASE]: ({ namespace, spec }) => `${namespace}/${spec.lease}`,
    }),
  };
  const events = {
    record: (report: EventReport) => void told.push({ ...report, afterMs: clock.nowMs() - NOW_MS }),
    pending: () => 0,
  };
  const put = (request: LeaseRequest) =>
    caches.requests.apply({ ...request, resourceVersion: `${++version}` });
  const hold = (change: Partial<Hold>, lastRequest: string) => {
    const lease = held({ ...HOLD, ...change });
    caches.leases.apply({
      ...lease,
      resourceVersion: `${++version}`,
      status: { ...lease.status, lastRequest },
    });
  };
  hold({}, "request-1");
  for (const request of requests) put(request);
  return {
    ...{ clock, told, lines, caches, put, hold },
    /** A replica becomes the arbiter; the returned function ends that. */
    begin() {
      const term = new AbortController();
      const pacer = createEventPacer({ events, clock, perSecond: ARBITER_EVENTS_PER_SECOND });
      const isLeading = () => !term.signal.aborted;
      const over = createWaitingNotices({ caches, pacer, clock, logger, isLeading }).run(term.signal);
      return async () => {
        term.abort();
        await over;
      };
    },
    /** In short. */
    heard: () =>
      told.map(
        ({ object, reason, afterMs }) => `${object.name} ${reason} ${Math.round(afterMs / MINUTE_MS)}m`,
      ),
  };
}
