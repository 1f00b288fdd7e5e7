/**
 * Follows a few objects by one WATCH: waiting costs the API server nothing until something happens.
 *
 * A watch that breaks resumes from the last version seen, with backoff; only a version that is too old for the server leads to a new LIST.
 * Limit: the objects lag behind, by up to {@link SILENCE_TIMEOUT_MS} where a connection died silently.
 */
import type { KubeClient, Parse } from "../kube/api.ts";
import { createListWatch } from "../kube/list-watch.ts";
import type { StoredObject } from "../kube/object-store.ts";
import type { Resource } from "../kube/resources.ts";
import type { Clock } from "../shared/clock.ts";
import { hasCode } from "../shared/errors.ts";
import { record, text } from "../shared/json.ts";

export interface FollowOptions<T> {
  client: KubeClient;
  clock: Clock;
  resource: Resource;
  namespace: string;
  /** Which objects: one by its name, or all with a label. */
  selector: { name: string } | { label: string };
  parse: Parse<T>;
  /** The object as read just now; without it the objects are listed first. */
  from?: T;
  signal: AbortSignal;
  random?: () => number;
}

export interface Followed<T> {
  /** By name, as last seen; undefined before the first look. */
  readonly objects: ReadonlyMap<string, T> | undefined;
  /** Why the objects cannot be followed just now. */
  readonly trouble: unknown;
  /**
   * Calls `look` at once, if anything was seen yet, and after every change; resolves with its first answer. Rejects with what `look`
   * throws, with the reason of `signal`, or where the API server refuses to show the objects.
   */
  until<R extends NonNullable<unknown>>(
    look: (objects: ReadonlyMap<string, T>) => R | undefined,
    signal: AbortSignal,
  ): Promise<R>;
}

/** Bookmarks come about once a minute. */
const SILENCE_TIMEOUT_MS = 180_000;
const BACKOFF = { firstMs: 200, maxMs: 5_000 };
/** A starting server refuses what it will allow later: for this long after the last success a refusal counts as temporary. */
const REFUSED_FOR_MS = 60_000;

export function follow<T extends StoredObject>(options: FollowOptions<T>): Followed<T> {
  const { client, clock, resource, namespace, selector, parse, from, signal, random } = options;
  const scope =
    "name" in selector
      ? { namespace, fieldSelector: `metadata.name=${selector.name}` }
      : { namespace, labelSelector: selector.label };
  const listeners = new Set<() => void>();
  let objects = from && new Map([[from.name, from]]);
  let goodAtMs = from && clock.monotonicMs();
  let trouble: unknown;
  let end: { reason: unknown } | undefined;

  function tell(): void {
    for (const listener of [...listeners]) listener();
  }

  async function list(): Promise<string> {
    const { items, resourceVersion } = await client.list(resource, { ...scope, signal }, parse);
    objects = new Map(items.map((item) => [item.name, item]));
    good();
    tell();
    return resourceVersion;
  }

  function good(): void {
    goodAtMs = clock.monotonicMs();
    trouble = undefined;
  }

  async function watch(
    resourceVersion: string,
    stop: AbortSignal,
    heard: (version: string) => void,
  ): Promise<void> {
    const limits = { resourceVersion, allowWatchBookmarks: true, silenceTimeoutMs: SILENCE_TIMEOUT_MS };
    for await (const { type, object } of client.watch(resource, { ...scope, ...limits }, stop)) {
      const metadata = record(record(object)["metadata"]);
      // Before parsing, so that an object that cannot be read is not asked for again and again.
      heard(text(metadata["resourceVersion"]) ?? "");
      good();
      if (type !== "BOOKMARK") {
        const next = new Map(objects);
        if (type === "DELETED") next.delete(text(metadata["name"]) ?? "");
        else next.set(text(metadata["name"]) ?? "", parse(object));
        objects = next;
        tell();
      }
    }
  }

  function isFinal(error: unknown): boolean {
    const isRefusal = hasCode(error, "Forbidden", "Unauthenticated", "NotFound", "BadRequest");
    return isRefusal && (goodAtMs === undefined || clock.monotonicMs() - goodAtMs > REFUSED_FOR_MS);
  }

  const loop = createListWatch({
    source: { list, watch },
    from: from?.resourceVersion,
    backoff: BACKOFF,
    // A client has 10 s to confirm its grant.
    longestRetryAfterMs: BACKOFF.maxMs,
    listsAtOnce: true,
    clock,
    random,
    onTrouble(error) {
      if (isFinal(error)) throw error;
      trouble = error;
    },
  });
  loop.run(signal).catch((reason: unknown) => {
    end = { reason };
    tell();
  });

  return {
    get objects() {
      return objects;
    },
    get trouble() {
      return trouble;
    },
    until<R extends NonNullable<unknown>>(
      look: (objects: ReadonlyMap<string, T>) => R | undefined,
      stop: AbortSignal,
    ) {
      const { promise, resolve, reject } = Promise.withResolvers<R>();
      const check = (): void => {
        try {
          stop.throwIfAborted();
          if (end) throw end.reason;
          const found = objects && look(objects);
          if (found === undefined) return;
          resolve(found);
        } catch (error) {
          reject(error);
        }
        listeners.delete(check);
        stop.removeEventListener("abort", check);
      };
      listeners.add(check);
      stop.addEventListener("abort", check);
      check();
      return promise;
    },
  };
}
