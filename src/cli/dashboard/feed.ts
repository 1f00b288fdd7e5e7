/**
 * Objects followed to be shown: a bounded list, then a watch that is taken up again where it broke. Unlike a reflector (src/kube/reflector.ts) it keeps
 * nothing itself, and reads at most {@link MOST_LISTED} objects of a list and one page. What it has not read is told when it changes.
 *
 * A list is in the order of namespaces. So that the first ones hide no others, a list of all namespaces that was cut is followed by another one without
 * the {@link MOST_SKIPPED} namespaces that had the most objects in it: {@link MOST_LISTS} lists at most.
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
  /** What has failed; it is tried again, and once in a minute where the user may not see it. undefined: the server is heard again. */
  troubled(error: unknown): void;
}

/** What is known of an object that was read. */
interface ReadObject<T> {
  uid: string;
  namespace: string;
  version: string;
  item: T | undefined;
}

/** Of one list. */
export const MOST_LISTED = 2_000;
const MOST_LISTS = 5;
/** For each list. A namespace takes 90 characters of the address at most. */
const MOST_SKIPPED = 10;
const PAGE_TIMEOUT_MS = 30_000;
const WATCH_SECONDS = 30;
/** A watch that is silent for longer than it was to last is dead. */
const SILENCE_TIMEOUT_MS = 35_000;
const BACKOFF = { firstMs: 500, maxMs: 15_000 };
const FORBIDDEN_RETRY_MS = 60_000;
const LONGEST_RETRY_AFTER_MS = 30_000;

/** Follows until `signal` aborts. */
export function follow<T>(options: FeedOptions<T>, sink: FeedSink<T>, signal: AbortSignal): void {
  const { client, resource, scope, clock, observe } = options;
  let isTroubled = false;

  function heard(): void {
    if (isTroubled) sink.troubled(undefined);
    isTroubled = false;
  }

  function read(object: unknown): ReadObject<T> {
    const { uid, namespace, resourceVersion } = record(record(object)["metadata"]);
    return {
      uid: text(uid) ?? "",
      namespace: text(namespace) ?? "",
      version: text(resourceVersion) ?? "",
      item: options.parse(object),
    };
  }

  async function list(signal: AbortSignal): Promise<string> {
    const items = new Map<string, T>();
    const sizes = createPageSizes();
    const skipped = new Set<string>();
    let hasUnread = false;
    let version: string | undefined;
    let isCut = true;
    for (let lists = 0; isCut && lists < (scope.namespace === undefined ? MOST_LISTS : 1); lists++) {
      const fields = [scope.fieldSelector, ...[...skipped].map((name) => `metadata.namespace!=${name}`)];
      const fieldSelector = fields.filter(Boolean).join(",") || undefined;
      const counts = new Map<string, number>();
      let count = 0;
      let last = "";
      let page: ObjectList<ReadObject<T>> | undefined;
      do {
        const asked = { ...scope, fieldSelector, continue: page?.continue, signal };
        const limits = { timeoutMs: PAGE_TIMEOUT_MS, onResponse: observe };
        page = await listPage(client, resource, { ...asked, ...limits }, sizes, read);
        count += page.items.length;
        for (const { uid, namespace, item } of page.items) {
          counts.set(namespace, (counts.get(namespace) ?? 0) + 1);
          last = namespace;
          if (item) items.set(uid, item);
        }
      } while (page.continue && count < MOST_LISTED);
      // The watch tells what has changed since the first list began.
      version ??= page.resourceVersion;
      isCut = page.continue !== undefined;
      // The last one may have been read in part: alone it has filled the list, else it is read anew.
      const isAlone = counts.size === 1;
      hasUnread ||= isCut && isAlone;
      const most = [...counts].filter(([name]) => isAlone || name !== last).toSorted((a, b) => b[1] - a[1]);
      for (const [name] of most.slice(0, MOST_SKIPPED)) skipped.add(name);
    }
    heard();
    sink.listed(items, isCut || hasUnread);
    return version ?? "";
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

  /** Rights may be given, and an authorizer may fail for a while. A new list is the way back, since what was read may be gone by then. */
  async function run(): Promise<void> {
    while (!signal.aborted) {
      await loop.run(signal).catch(() => undefined); // it was ended, or forbidden, which was told
      loop.relist();
      await clock.sleep(FORBIDDEN_RETRY_MS, signal).catch(() => undefined);
    }
  }
  void run();
}
