/**
 * What the dashboard shows, followed by watches: a row for each klease. A change makes the rows that it concerns outdated, and no others; a row is
 * computed when a page asks for it, and kept while it is up to date. So what nobody looks at costs nothing, and what many pages look at costs once.
 */
import type { KubeClient } from "../../kube/api.ts";
import { createReflector, type Reflector } from "../../kube/reflector.ts";
import { EVENTS, LEASE_REQUESTS, LEASES, type Resource } from "../../kube/resources.ts";
import type { ServerClock } from "../../kube/server-clock.ts";
import { parseLease, parseLeaseRequest } from "../../lease/codec.ts";
import { keyOf, type Lease, type LeaseRequest, type PastHold } from "../../lease/types.ts";
import type { Clock } from "../../shared/clock.ts";
import { describeError } from "../../shared/errors.ts";
import type { Logger } from "../../shared/log.ts";
import { createEndedHolds, END_EVENTS, parseEndedHold } from "./ended-holds.ts";
import { follow, MOST_LISTED } from "./feed.ts";
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
  /** Resolves when all that may be seen was listed, or the events cannot be for now; rejects when the picture is stopped before. */
  readonly synced: Promise<void>;
  /** Of every klease there is. */
  keys(): string[];
  /** The present row, as JSON; undefined if there is no such klease. */
  rowJson(key: string): string | undefined;
  /** The klease of this key, as it was heard of last. */
  lease(key: string): Lease | undefined;
  /** The holds of `lease` that are known to have ended: those of its status, and those that events tell of. */
  pastOf(lease: Lease): PastHold[];
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
  server: ServerClock;
  logger: Logger;
  hidden: Hidden;
  /** One sentence about what failed. */
  sentenceOf: (error: unknown) => string;
}

const BY_LEASE = "lease";
/** For longer, the forecast in a row is not from now any more. */
const FRESH_MS = 5_000;

export function createPicture(options: PictureOptions): Picture {
  const { client, namespace, clock, server, logger, hidden, sentenceOf } = options;
  const listeners = new Set<PictureListener>();
  const troubles = new Map<Followed, string>(
    FOLLOWED.flatMap((about) => (hidden[about] === undefined ? [] : [[about, hidden[about]]])),
  );
  const rows = new Map<string, { json: string; atMs: number }>();
  const ended = createEndedHolds(outdate);
  const endsListed = Promise.withResolvers<void>();

  const reflect = <T extends Lease | LeaseRequest>(
    about: "leases" | "requests",
    resource: Resource,
    parse: (object: unknown) => T,
    leaseOf: (object: T) => string,
  ): Reflector<T> | undefined => {
    if (hidden[about] !== undefined) return undefined;
    const reflector = createReflector<T>({
      ...{ client, resource, parse, clock, logger },
      ...(namespace !== undefined && { namespace }),
      indexers: { [BY_LEASE]: leaseOf },
      onTrouble: (error) => tell(about, error === undefined ? "" : sentenceOf(error)),
    });
    reflector.subscribe(({ object, old }) => {
      for (const key of new Set([object, old ?? object].map(leaseOf))) outdate(key);
    });
    return reflector;
  };
  const leases = reflect("leases", LEASES, parseLease, keyOf);
  const requests = reflect("requests", LEASE_REQUESTS, parseLeaseRequest, (request) =>
    keyOf({ namespace: request.namespace, name: request.spec.lease }),
  );

  function followEnds(signal: AbortSignal): void {
    let cutSentence = "";
    const scope = { namespace, fieldSelector: END_EVENTS };
    follow(
      { client, resource: EVENTS, scope, parse: parseEndedHold, clock, observe: server.observe },
      {
        listed(ends, isCut) {
          ended.replace(ends);
          cutSentence = isCut ? CUT : "";
          tell("events", cutSentence);
          endsListed.resolve();
        },
        put: ended.put,
        drop: ended.drop,
        troubled(error) {
          tell("events", error === undefined ? cutSentence : `${UNREAD}: ${sentenceOf(error)}`);
          if (error !== undefined) logger.warn({ error: describeError(error) }, "cannot follow events");
          // The rest is shown without them, and they come when they can be listed.
          endsListed.resolve();
        },
      },
      signal,
    );
  }

  const synced = Promise.all([
    leases?.synced,
    requests?.synced,
    hidden.events === undefined && endsListed.promise,
  ]).then(() => undefined);
  synced.catch(() => undefined); // nobody may be waiting for it

  function outdate(key: string): void {
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
      const row = leaseRow({
        lease,
        requests: requests?.store.byIndex(BY_LEASE, key),
        ended: ended.of(lease),
        nowMs: server.nowMs(),
      });
      const json = JSON.stringify(row);
      rows.set(key, { json, atMs: clock.monotonicMs() });
      return json;
    },
    lease: (key) => leases?.store.get(key),
    pastOf: (lease) => [...lease.status.history, ...ended.of(lease)],
    requestsOf: (key) => requests?.store.byIndex(BY_LEASE, key),
    troubles: () => [...troubles],
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    start(signal) {
      leases?.start(signal);
      requests?.start(signal);
      if (hidden.events === undefined) followEnds(signal);
    },
  };
}

const CUT = `There are more than ${MOST_LISTED} events of ended holds: of some Leases only the last ten holds are shown.`;
const UNREAD = "Events of ended holds cannot be read for now, so that older holds may be missing";
const FOLLOWED: readonly Followed[] = ["leases", "requests", "events"];
