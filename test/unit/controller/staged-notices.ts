import { ARBITER_EVENTS_PER_SECOND } from "../../../src/bin/serve/event-share.ts";
import { createWaitingNotices } from "../../../src/controller/waiting-notices.ts";
import { createEventRecorder } from "../../../src/kube/events.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import type { Hold, Lease, LeaseRequest } from "../../../src/lease/types.ts";
import { BY_LEASE } from "../../../src/objects/caches.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { parseJson, record, text, textMap } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aHold, aRequest, held, NOW_MS } from "../lease/samples.ts";
import { fedReflector } from "./fed-reflector.ts";
import { recordedClient } from "./recorded-client.ts";

export const MINUTE_MS = 60_000;
export const HOLD = aHold({ expiresMs: NOW_MS + 55_000 });

/** A request that a pod has just made. */
export function waiter(name: string, change: Parameters<typeof aRequest>[0] = {}): LeaseRequest {
  const ref = { kind: "Pod", name, uid: `pod-${name}` } as const;
  return aRequest({ ...change, name, spec: { holder: name, ref, ...change.spec } });
}

/** An event that an arbiter has had created, or has tried to. */
export interface Told {
  object: { apiVersion?: string; kind?: string; namespace?: string; name?: string; uid?: string };
  type: string;
  reason: string;
  message: string;
  /** The event's own. The API server has one event of a name. */
  name: string;
  afterMs: number;
}

/** Notices about `requests` for klease nightly, which run-1 holds. */
export function stage(...requests: readonly LeaseRequest[]) {
  const clock = turnedClock(NOW_MS);
  let version = 100;
  const told: Told[] = [];
  /** By name: whether the API server has such an event. Refused: it takes no such event. */
  const stored = new Set<string>();
  const refused = new Set<string>();
  const { client } = recordedClient(({ what, sent }) => {
    const event = record(sent);
    const { name = "" } = textMap(what === "create events" ? event["metadata"] : event);
    const [type = "", reason = "", message = ""] = ["type", "reason", "message"].map((key) =>
      text(event[key]),
    );
    if (refused.has(reason)) throw new KonductorError("Forbidden", "no");
    if (what === "patch events" && !stored.has(name)) throw new KonductorError("NotFound", name);
    if (what !== "create events") return {};
    const object = textMap(event["involvedObject"]);
    told.push({ object, type, reason, message, name, afterMs: clock.nowMs() - NOW_MS });
    if (stored.has(name)) throw new KonductorError("AlreadyExists", name);
    stored.add(name);
    return {};
  });
  const lines: unknown[] = [];
  const logger = createLogger({ destination: { write: (line) => void lines.push(parseJson(line)) } });
  const caches = {
    leases: fedReflector<Lease>(),
    pods: fedReflector<PodView>(),
    requests: fedReflector<LeaseRequest>({
      [BY_LEASE]: ({ namespace, spec }) => `${namespace}/${spec.lease}`,
    }),
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
  /** The returned function makes it the arbiter, and the one that this returns ends that. */
  function replica() {
    let term: AbortController | undefined;
    const isLeading = () => term?.signal.aborted === false;
    const about = { client, clock, component: "konductor", instance: "replica" };
    const silent = createLogger({ level: "silent" });
    const perSecond = () => ARBITER_EVENTS_PER_SECOND;
    const events = createEventRecorder({ ...about, logger: silent, perSecond });
    const notices = createWaitingNotices({ caches, events, clock, logger, isLeading });
    return () => {
      const begun = new AbortController();
      term = begun;
      const over = notices.run(begun.signal);
      return async () => {
        begun.abort();
        await over;
      };
    };
  }

  return {
    ...{ clock, told, stored, refused, lines, caches, put, hold, replica },
    /** Another replica becomes the arbiter; the returned function ends that. */
    begin: () => replica()(),
    /** In short. */
    heard: () =>
      told.map(
        ({ object, reason, afterMs }) => `${object.name} ${reason} ${Math.round(afterMs / MINUTE_MS)}m`,
      ),
  };
}
