/** Lists that a story is told from, each followed for as long as it is wanted. */
import type { KubeClient } from "../../kube/api.ts";
import type { Resource } from "../../kube/resources.ts";
import type { ServerClock } from "../../kube/server-clock.ts";
import type { Clock } from "../../shared/clock.ts";
import { hasCode } from "../../shared/errors.ts";
import { forbidden, type Known } from "../known.ts";
import { follow, type Selector } from "./feed.ts";

/** What a story reads with. */
export interface SourceReader {
  client: KubeClient;
  server: ServerClock;
  clock: Clock;
  /** One sentence about what failed. */
  sentenceOf: (error: unknown) => string;
}

/** The object of this name. */
export function named(name: string): Selector {
  return { fieldSelector: `metadata.name=${name}` };
}

/** What has been found of one list. */
export interface Found<T> {
  items: Known<readonly T[]>;
  /** There are more objects than were read or kept. */
  isCut: boolean;
}

export interface SourcesOptions<T> extends SourceReader {
  resource: Resource;
  /** undefined: of all, or of none. */
  namespace: string | undefined;
  /** undefined: it is not wanted. */
  parse: (object: unknown) => T | undefined;
  /** Of each list the latest ones are kept. */
  mostKept: number;
  atMs: (item: T) => number;
  /** Something else is known than before. */
  onChange: () => void;
}

/** Lists of one resource. */
export interface Sources<T> {
  /** Follows these lists and no others; what is followed already goes on. */
  follow(selectors: readonly Selector[]): void;
  /** Whether each of them was read, or cannot be. */
  areRead(): boolean;
  /** `missing`: nothing is known of it yet, or it is not followed. */
  found(selector: Selector): Found<T>;
}

/** Follows nothing yet. Whoever calls ends it by following nothing. */
export function createSources<T>(options: SourcesOptions<T>): Sources<T> {
  const sources = new Map<string, Source<T>>();
  return {
    follow(selectors) {
      const wanted = new Map(selectors.map((selector) => [keyOf(selector), selector]));
      for (const [key, { stop }] of sources) {
        if (wanted.has(key)) continue;
        sources.delete(key);
        stop();
      }
      for (const [key, selector] of wanted)
        if (!sources.has(key)) sources.set(key, startSource(options, selector));
    },
    areRead: () => [...sources.values()].every(({ isRead }) => isRead()),
    found: (selector) => sources.get(keyOf(selector))?.found() ?? { items: { is: "missing" }, isCut: false },
  };
}

interface Source<T> {
  isRead(): boolean;
  found(): Found<T>;
  stop(): void;
}

function startSource<T>(options: SourcesOptions<T>, selector: Selector): Source<T> {
  const { client, resource, namespace, parse, mostKept, atMs, clock, server, sentenceOf, onChange } = options;
  const stop = new AbortController();
  const kept = new Map<string, T>();
  /** Why nothing is known; undefined: nothing was said yet. */
  let state: "new" | "read" | Known<never> = "new";
  let isCut = false;

  function keep(uid: string, item: T): void {
    kept.set(uid, item);
    if (kept.size <= mostKept) return;
    isCut = true;
    const [oldest] = [...kept].reduce((a, b) => (atMs(b[1]) < atMs(a[1]) ? b : a));
    kept.delete(oldest);
  }

  follow(
    { client, resource, scope: { namespace, ...selector }, parse, clock, observe: server.observe },
    {
      listed(items, hasMore) {
        state = "read";
        isCut = hasMore;
        kept.clear();
        for (const [uid, item] of items) keep(uid, item);
        onChange();
      },
      put(uid, item) {
        keep(uid, item);
        onChange();
      },
      drop(uid) {
        if (kept.delete(uid)) onChange();
      },
      troubled(error) {
        // What was read stays; the rows say that the API server does not answer.
        if (error === undefined || state === "read") return;
        state = hasCode(error, "Forbidden")
          ? forbidden(`list ${resource.plural}`, namespace)
          : { is: "unread", why: sentenceOf(error) };
        onChange();
      },
    },
    stop.signal,
  );
  return {
    isRead: () => state !== "new",
    found: () => ({
      items:
        state === "read"
          ? { is: "known", value: [...kept.values()] }
          : state === "new"
            ? { is: "missing" }
            : state,
      isCut,
    }),
    stop: () => stop.abort(),
  };
}

function keyOf({ fieldSelector = "", labelSelector = "" }: Selector): string {
  return `${fieldSelector} ${labelSelector}`;
}
