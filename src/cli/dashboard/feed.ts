/**
 * Objects followed to be shown: a bounded list, then a watch that is taken up again where it broke. Unlike a reflector (src/kube/reflector.ts) it keeps
 * nothing itself, and reads at most {@link MOST_LISTED} objects of a list and one page. What it has not read is told when it changes.
 */
import type { KubeClient, ListOptions, ObjectList } from "../../kube/api.ts";
import { createPageSizes, listPage } from "../../kube/list-pages.ts";
import { createListWatch } from "../../kube/list-watch.ts";
import type { Resource } from "../../kube/resources.ts";
import type { ServerClock } from "../../kube/server-clock.ts";
import type { Clock } from "../../shared/clock.ts";
import { hasCode } from "../../shared/errors.ts";
import { record, text } from "../../shared/json.ts";

/** Which objects of a resource. */
export type Selector = Pick<ListOptions, "labelSelector" | "fieldSelector">;

export interface FeedOptions<T> {
  client: KubeClient;
  resource: Resource;
  scope: Selector & Pick<ListOptions, "namespace">;
  /** Reads an object, of which nothing else is kept; undefined: it is not wanted. */
  parse: (object: unknown) => T | undefined;
  clock: Clock;
  /** Learns the time from answers. */
  observe: ServerClock["observe"];
}

/** Objects are known by their uids. */
export interface FeedSink<T> {
  /** What there is: all that was told before is void. `isCut`: there is more. */
  listed(items: ReadonlyMap<string, T>, isCut: boolean): void;
  put(uid: string, item: T): void;
  /** It is gone, or not wanted any more. Perhaps nobody has told of it. */
  drop(uid: string): void;
  /** What has failed; it is tried again, unless the user may not see it. undefined: the server is heard again. */
  troubled(error: unknown): void;
}

/** Of one list. */
export const MOST_LISTED = 2_000;
const PAGE_TIMEOUT_MS = 30_000;
const WATCH_SECONDS = 30;
/** A watch that is silent for longer than it was to last is dead. */
const SILENCE_TIMEOUT_MS = 35_000;
const BACKOFF = { firstMs: 500, maxMs: 15_000 };
const LONGEST_RETRY_AFTER_MS = 30_000;

/** Follows until `signal` aborts, or until the user may not see the objects. */
export function follow<T>(options: FeedOptions<T>, sink: FeedSink<T>, signal: AbortSignal): void {
  const { client, resource, scope, clock, observe } = options;
  let isTroubled = false;

  function heard(): void {
    if (isTroubled) sink.troubled(undefined);
    isTroubled = false;
  }

  function read(object: unknown): { uid: string; version: string; item: T | undefined } {
    const { uid, resourceVersion } = record(record(object)["metadata"]);
    return { uid: text(uid) ?? "", version: text(resourceVersion) ?? "", item: options.parse(object) };
  }

  async function list(signal: AbortSignal): Promise<string> {
    const items = new Map<string, T>();
    const sizes = createPageSizes();
    let count = 0;
    let page: ObjectList<ReturnType<typeof read>> | undefined;
    do {
      const asked = { ...scope, continue: page?.continue, signal, timeoutMs: PAGE_TIMEOUT_MS };
      page = await listPage(client, resource, { ...asked, onResponse: observe }, sizes, read);
      count += page.items.length;
      for (const { uid, item } of page.items) if (item) items.set(uid, item);
    } while (page.continue && count < MOST_LISTED);
    heard();
    sink.listed(items, page.continue !== undefined);
    return page.resourceVersion;
  }

  async function watch(from: string, signal: AbortSignal, took: (version: string) => void): Promise<void> {
    const asked = { ...scope, resourceVersion: from, allowWatchBookmarks: true };
    const limits = { timeoutSeconds: WATCH_SECONDS, silenceTimeoutMs: SILENCE_TIMEOUT_MS };
    for await (const { type, object } of client.watch(resource, { ...asked, ...limits }, signal)) {
      heard();
      const { uid, version, item } = read(object);
      if (type !== "BOOKMARK") {
        if (item && type !== "DELETED") sink.put(uid, item);
        else sink.drop(uid);
      }
      took(version);
    }
  }

  const loop = createListWatch({
    ...{ source: { list, watch }, backoff: BACKOFF, longestRetryAfterMs: LONGEST_RETRY_AFTER_MS, clock },
    onEnd: heard,
    onTrouble(error) {
      isTroubled = true;
      sink.troubled(error);
      if (hasCode(error, "Forbidden")) throw error;
    },
  });
  loop.run(signal).catch(() => undefined); // it was ended, or forbidden, which was told
}
