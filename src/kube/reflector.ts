/**
 * A live copy of the objects of one resource, after client-go's reflector: a consistent LIST, then a WATCH with bookmarks that is
 * taken up again where it broke.
 *
 * Guarantees
 * - What is in the store once was the truth; it never goes back to an older version of an object (see object-cache.ts).
 * - A dropped watch is resumed from the last version seen, without a new list, after a bounded backoff with jitter; one that the
 *   server ended by itself is resumed at once. Only a version that is too old for the server (410) leads to a new list.
 * - After `relist()` the store holds at least every write that was answered, by whomever, before the call.
 * - An object that cannot be parsed is logged once, skipped, and never taken for deleted.
 *
 * Limits
 * - The store lags behind: by milliseconds with a healthy watch, by {@link SILENCE_TIMEOUT_MS} and a little with one that died without
 *   a word. Conclude nothing from an object's absence without a live GET. `lastEventMonotonicMs` says when the server was last heard.
 * - A server whose own watch cache is behind is believed.
 * - Intermediate versions may be skipped; listeners see the difference between what they were told and what is.
 *
 * Watches are short, since their end is all that the server is sure to say on an idle one. Bookmarks come once a minute, which no client can
 * change, and 2 s before a watch ends, where there is a newer version to tell of (cache_watcher.go of kube-apiserver).
 */
import type { Clock } from "../shared/clock.ts";
import { describeError, KonductorError } from "../shared/errors.ts";
import { record, text } from "../shared/json.ts";
import type { Logger } from "../shared/log.ts";
import { LruMap } from "../shared/lru-map.ts";
import type { KubeClient, ObjectList, Parse } from "./api.ts";
import { createPageSizes, listPage } from "./list-pages.ts";
import { createListWatch } from "./list-watch.ts";
import { type CacheListener, type Change, createObjectCache } from "./object-cache.ts";
import { type Indexers, keyOf, type ObjectStore, type StoredObject } from "./object-store.ts";
import type { Resource } from "./resources.ts";

export type { CacheListener, Change } from "./object-cache.ts";

export interface ReflectorOptions<T> {
  client: KubeClient;
  resource: Resource;
  /** Without it all namespaces. */
  namespace?: string;
  /** A label selector. */
  selector?: string;
  fieldSelector?: string;
  parse: Parse<T>;
  /** See {@link ObjectStore.byIndex}. */
  indexers?: Indexers<T>;
  /** What the log says of the object of this key; `{object: key}` by default. */
  about?: (key: string) => object;
  clock: Clock;
  logger: Logger;
  random?: () => number;
  /** Called with what failed whenever a list or a watch fails, and with undefined once the server is heard again. */
  onTrouble?: (error: unknown) => void;
}

export interface Reflector<T> {
  readonly store: ObjectStore<T>;
  /** Resolves after the first list; rejects when the reflector is stopped before. */
  readonly synced: Promise<void>;
  /** When the server last said something, a bookmark or the end of a watch included; undefined before the first list. */
  readonly lastEventMonotonicMs: number | undefined;
  /** Begins to follow the resource, until `signal` aborts. To be called once. */
  start(signal: AbortSignal): void;
  /** Tells `listener` of every change from now on; returns what ends it. What it throws is logged. */
  subscribe(listener: CacheListener<T>): () => void;
  /** Lists anew, consistently; resolves when the store reflects it. Retries until then; rejects when the reflector is stopped. */
  relist(): Promise<void>;
  /** Puts the answer to a write of our own (or a live GET's) into the store, if it is news. */
  apply(object: T): void;
}

/** For one page, however much of it keeps coming. */
const PAGE_TIMEOUT_MS = 60_000;
/**
 * A page is asked for anew when no byte has come for this long, since its answer may be lost, and grants wait for it. A server that is only
 * slow is given twice as long each time. An overloaded server lets a request wait for a quarter of its --request-timeout, 15 s, before it
 * begins (API Priority and Fairness, KEP-1040).
 */
const PAGE_SILENCE = { firstMs: 5_000, maxMs: 20_000 };
const WATCH_SECONDS = 5;
/**
 * A watch that is silent for longer than it was to last is dead; its connection is not used again. A gate hears of its grant through such a
 * copy, and has 10 s to confirm it: it hears in time what was withheld.
 */
const SILENCE_TIMEOUT_MS = 8_000;
/** At most half of the time that a gate has to confirm its grant: it hears of the grant through such a copy, also after an outage. */
const BACKOFF = { firstMs: 200, maxMs: 5_000 };
const LONGEST_RETRY_AFTER_MS = 30_000;
const REMEMBERED_UNREADABLE = 1_000;

export function createReflector<T extends StoredObject>(options: ReflectorOptions<T>): Reflector<T> {
  const { client, resource, namespace, selector, parse, clock, random } = options;
  const { about = (key) => ({ object: key }) } = options;
  const logger = options.logger.child({ resource: resource.plural });
  const listeners = new Set<CacheListener<T>>();
  const cache = createObjectCache<T>({ indexers: options.indexers, notify });
  const unreadable = new LruMap<string, true>(REMEMBERED_UNREADABLE);
  const synced = Promise.withResolvers<void>();
  synced.promise.catch(() => undefined); // nobody may be waiting for it
  const scope = { namespace, labelSelector: selector, fieldSelector: options.fieldSelector };
  const pageSizes = createPageSizes();

  let relists: PromiseWithResolvers<void>[] = [];
  let silenceTimeoutMs = PAGE_SILENCE.firstMs;
  let stopped: { reason: unknown } | undefined;
  let lastEventMonotonicMs: number | undefined;
  let isTroubled = false;

  function heardServer(): void {
    lastEventMonotonicMs = clock.monotonicMs();
    if (isTroubled) options.onTrouble?.(undefined);
    isTroubled = false;
  }

  function notify(change: Change<T>): void {
    for (const listener of listeners) {
      try {
        listener(change);
      } catch (error) {
        logger.error({ ...about(keyOf(change.object)), error: describeError(error) }, "a listener failed");
      }
    }
  }

  function read(object: unknown): T | undefined {
    try {
      return parse(object);
    } catch (error) {
      const { uid, key } = identify(object);
      if (!unreadable.get(uid))
        logger.warn({ ...about(key), error: describeError(error) }, "skipping an object that cannot be read");
      unreadable.set(uid, true);
      return undefined;
    }
  }

  async function list(signal: AbortSignal): Promise<string> {
    const asked = relists; // whoever asks later gets a list that begins later
    relists = [];
    try {
      const { objects, skipped, version } = await listAnew(signal);
      heardServer();
      cache.replace(objects, version, skipped);
      silenceTimeoutMs = PAGE_SILENCE.firstMs;
      synced.resolve();
      for (const { resolve } of asked) resolve();
      return version;
    } catch (error) {
      relists.push(...asked);
      throw error;
    }
  }

  async function listAnew(signal: AbortSignal) {
    const objects: T[] = [];
    const skipped = new Set<string>();
    let page: ObjectList<unknown> | undefined;
    do {
      page = await pageFrom(page?.continue, signal);
      for (const item of page.items) {
        const object = read(item);
        if (object) objects.push(object);
        else skipped.add(identify(item).key);
      }
    } while (page.continue);
    return { objects, skipped, version: page.resourceVersion };
  }

  async function pageFrom(from: string | undefined, signal: AbortSignal): Promise<ObjectList<unknown>> {
    const limits = { signal, timeoutMs: PAGE_TIMEOUT_MS, silenceTimeoutMs };
    const askedMs = clock.monotonicMs();
    try {
      const options = { ...scope, continue: from, ...limits };
      return await listPage(client, resource, options, pageSizes, (object) => object);
    } catch (error) {
      if (clock.monotonicMs() - askedMs >= silenceTimeoutMs)
        silenceTimeoutMs = Math.min(2 * silenceTimeoutMs, PAGE_SILENCE.maxMs);
      throw error;
    }
  }

  async function watch(
    resourceVersion: string,
    signal: AbortSignal,
    heard: (version: string) => void,
  ): Promise<void> {
    const options = {
      ...scope,
      resourceVersion,
      allowWatchBookmarks: true,
      timeoutSeconds: WATCH_SECONDS,
    };
    const silent = new AbortController();
    const watchSilence = () =>
      clock.after(SILENCE_TIMEOUT_MS, () =>
        silent.abort(new KonductorError("Unreachable", `the watch was silent for ${SILENCE_TIMEOUT_MS} ms`)),
      );
    let stopWatchingSilence = watchSilence();
    try {
      const either = AbortSignal.any([signal, silent.signal]);
      for await (const { type, object } of client.watch(resource, options, either)) {
        heardServer();
        stopWatchingSilence();
        stopWatchingSilence = watchSilence();
        const { key, version } = identify(object);
        const readable = type === "BOOKMARK" ? undefined : read(object);
        if (readable && type === "DELETED") cache.observeDeletion(readable);
        else if (readable) cache.observe(readable);
        else if (type === "DELETED") cache.observeAbsence(key, version);
        else cache.progress(version);
        heard(version);
      }
    } finally {
      stopWatchingSilence();
    }
  }

  const loop = createListWatch({
    source: { list, watch },
    backoff: BACKOFF,
    longestRetryAfterMs: LONGEST_RETRY_AFTER_MS,
    clock,
    random,
    onEnd: heardServer,
    onTrouble(error, delayMs) {
      isTroubled = true;
      options.onTrouble?.(error);
      logger.warn({ error: describeError(error), retryInMs: Math.round(delayMs) }, "list or watch failed");
    },
  });

  function stop(reason: unknown): void {
    stopped = { reason };
    synced.reject(reason);
    for (const { reject } of relists) reject(reason);
  }

  return {
    store: cache.store,
    synced: synced.promise,
    get lastEventMonotonicMs() {
      return lastEventMonotonicMs;
    },
    start(signal) {
      loop.run(signal).catch(stop);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    relist() {
      if (stopped) return Promise.reject(stopped.reason);
      const asked = Promise.withResolvers<void>();
      relists.push(asked);
      loop.relist();
      return asked.promise;
    },
    apply: (object) => cache.apply(object),
  };
}

/** What even an object that cannot be parsed has. */
function identify(object: unknown): { key: string; uid: string; version: string } {
  const metadata = record(record(object)["metadata"]);
  const namespace = text(metadata["namespace"]);
  const key = keyOf({ namespace, name: text(metadata["name"]) ?? "" });
  return { key, uid: text(metadata["uid"]) ?? key, version: text(metadata["resourceVersion"]) ?? "" };
}
