/**
 * What the dashboard shows, followed by watches: a row for each klease. A change makes the rows that it concerns outdated, and no others; a row is
 * computed when a page asks for it, and kept while it is up to date. So what nobody looks at costs nothing, and what many pages look at costs once.
 */
import type { KubeClient } from "../../kube/api.ts";
import { createReflector, type Reflector } from "../../kube/reflector.ts";
import { EVENTS, LEASE_REQUESTS, LEASES, type Resource } from "../../kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../lease/codec.ts";
import { keyOf, type Lease, type LeaseRequest } from "../../lease/types.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import { API_VERSION, EVENT_COMPONENT } from "../../shared/names.ts";
import { type LeaseEvent, parseLeaseEvent } from "./lease-event.ts";
import { leaseRow } from "./lease-row.ts";

/** What is followed. */
export type Followed = "leases" | "requests" | "events";

/** What the user may not see, each in one sentence: it is not asked for. */
export type Hidden = Partial<Record<Followed, string>>;

export interface PictureListener {
  /** The row of this klease is outdated. */
  changed(key: string): void;
  /** Something cannot be seen, in one sentence; an empty one: it can be seen again. */
  trouble(about: Followed, message: string): void;
}

export interface Picture {
  /** Resolves when all that may be seen was listed; rejects when the picture is stopped before. */
  readonly synced: Promise<void>;
  /** Of every klease there is. */
  keys(): string[];
  /** The present row, as JSON; undefined if there is no such klease. */
  rowJson(key: string): string | undefined;
  /** The requests for a klease; undefined if they cannot be seen. */
  requestsOf(key: string): LeaseRequest[] | undefined;
  /** What cannot be seen at present. */
  troubles(): [Followed, string][];
  /** Returns what ends it. */
  subscribe(listener: PictureListener): () => void;
  /** Begins to follow, until `signal` aborts. */
  start(signal: AbortSignal): void;
}

export interface PictureOptions {
  client: KubeClient;
  /** undefined: all. */
  namespace: string | undefined;
  clock: Clock;
  /** The API server's time of day. */
  nowMs: () => number;
  logger: Logger;
  hidden: Hidden;
  /** One sentence about what failed. */
  sentenceOf: (error: unknown) => string;
}

const BY_LEASE = "lease";
/** konductor's events about kleases. Grants are left out: every hold that has been granted ends. */
export const END_EVENTS = [
  `involvedObject.apiVersion=${API_VERSION}`,
  "involvedObject.kind=Lease",
  `reportingComponent=${EVENT_COMPONENT}`,
  "reason!=Granted",
  "reason!=RenewedLate",
].join(",");
/** For longer, the forecast in a row is not from now any more. */
const FRESH_MS = 5_000;

export function createPicture(options: PictureOptions): Picture {
  const { client, namespace, clock, nowMs, logger, hidden, sentenceOf } = options;
  const listeners = new Set<PictureListener>();
  const troubles = new Map<Followed, string>(
    FOLLOWED.flatMap((about) => (hidden[about] === undefined ? [] : [[about, hidden[about]]])),
  );
  const rows = new Map<string, { json: string; atMs: number }>();

  const follow = <T extends Lease | LeaseRequest | LeaseEvent>(
    about: Followed,
    resource: Resource,
    parse: (object: unknown) => T,
    more: { fieldSelector?: string; leaseOf?: (object: T) => string | undefined } = {},
  ): Reflector<T> | undefined => {
    if (hidden[about] !== undefined) return undefined;
    const { fieldSelector, leaseOf } = more;
    const reflector = createReflector<T>({
      ...{ client, resource, parse, clock, logger },
      ...(namespace !== undefined && { namespace }),
      ...(fieldSelector !== undefined && { fieldSelector }),
      ...(leaseOf && { indexers: { [BY_LEASE]: leaseOf } }),
      onTrouble: (error) => tell(about, error === undefined ? "" : sentenceOf(error)),
    });
    reflector.subscribe(({ object, old }) => {
      for (const key of new Set([object, old ?? object].map(leaseOf ?? keyOf))) outdate(key);
    });
    return reflector;
  };
  const leases = follow("leases", LEASES, parseLease);
  const requests = follow("requests", LEASE_REQUESTS, parseLeaseRequest, {
    leaseOf: (request) => keyOf({ namespace: request.namespace, name: request.spec.lease }),
  });
  const events = follow("events", EVENTS, parseLeaseEvent, {
    fieldSelector: END_EVENTS,
    leaseOf: ({ lease }) => lease,
  });
  const followed = [leases, requests, events].filter((each) => each !== undefined);
  const synced = Promise.all(followed.map((each) => each.synced)).then(() => undefined);
  synced.catch(() => undefined); // nobody may be waiting for it

  function outdate(key: string | undefined): void {
    if (key === undefined) return;
    rows.delete(key);
    for (const { changed } of listeners) changed(key);
  }

  function tell(about: Followed, message: string): void {
    if ((troubles.get(about) ?? "") === message) return;
    if (message === "") troubles.delete(about);
    else troubles.set(about, message);
    for (const { trouble } of listeners) trouble(about, message);
  }

  return {
    synced,
    keys: () => leases?.store.list().map(keyOf) ?? [],
    rowJson(key) {
      const lease = leases?.store.get(key);
      if (!lease) return undefined;
      const known = rows.get(key);
      if (known && clock.monotonicMs() - known.atMs < FRESH_MS) return known.json;
      const ended = events?.store.byIndex(BY_LEASE, key) ?? [];
      const row = leaseRow({
        lease,
        requests: requests?.store.byIndex(BY_LEASE, key),
        ended: ended.flatMap(({ leaseUid, past }) => (past && leaseUid === lease.uid ? [past] : [])),
        nowMs: nowMs(),
      });
      const json = JSON.stringify(row);
      rows.set(key, { json, atMs: clock.monotonicMs() });
      return json;
    },
    requestsOf: (key) => requests?.store.byIndex(BY_LEASE, key),
    troubles: () => [...troubles],
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    start(signal) {
      for (const each of followed) each.start(signal);
    },
  };
}

const FOLLOWED: readonly Followed[] = ["leases", "requests", "events"];
