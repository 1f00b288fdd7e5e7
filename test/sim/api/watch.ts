import type { ResponseInfo, WatchEvent, WatchOptions } from "../../../src/kube/api.ts";
import { describeAction } from "../../../src/kube/paths.ts";
import { apiVersion, type Resource } from "../../../src/kube/resources.ts";
import { statusError } from "../../../src/kube/status-error.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import type { Process } from "../process.ts";
import type { Scheduler } from "../scheduler.ts";
import { dateMs, type Line, send } from "./line.ts";
import { inScope } from "./lister.ts";
import { tooOld } from "./refused.ts";
import type { Json } from "./rules.ts";
import type { Change, Store } from "./store.ts";

export interface WatchWorld {
  scheduler: Scheduler;
  store: Store;
  process: Process;
  line: Line;
  onResponse?: (info: ResponseInfo) => void;
}

/** The first bookmark also comes this long before the watch ends (cache_watcher.go of kube-apiserver). */
const BOOKMARK_BEFORE_END_MS = 2_000;
const BOOKMARK_EVERY_MS = 60_000;
/** How long TCP's own probes take to give up a peer that does not acknowledge. */
const LOST_AFTER_MS = 20_000;

/** A watch, served from the cache of the API server to which the line leads when the watch begins. */
export async function* createWatch(
  { scheduler, store, process, line, onResponse }: WatchWorld,
  resource: Resource,
  options: WatchOptions,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  const { namespace, resourceVersion = "", timeoutSeconds, silenceTimeoutMs = 0 } = options;
  const action = describeAction("watch", resource, { namespace });
  const { server } = line;
  const matches = inScope(options);
  const arrived: WatchEvent[] = [];
  const onTheWay: { dueMs: number; event: WatchEvent }[] = [];
  const stops: (() => void)[] = [];
  let end: { error?: unknown } | undefined;
  let wake = () => {};
  let cursor = -1;
  let seenVersion = Number(resourceVersion);
  let markedVersion = seenVersion;
  let pumpAtMs = Number.POSITIVE_INFINITY;
  let stopSilence = () => {};
  let isHanging = false;

  const sentMs = process.clock.monotonicMs();
  /** The answer that begins or refuses the watch. */
  function answer(status: number, error?: unknown): void {
    const serverDateMs = dateMs(scheduler);
    const begun = () => {
      onResponse?.({ status, serverDateMs, tookMs: process.clock.monotonicMs() - sentMs });
      if (error !== undefined) finish(error);
    };
    send(scheduler, line, () => arrive(begun));
  }
  /** Lets something arrive at the process. */
  function arrive(what: () => void): void {
    process.enter(() => {
      if (end) return;
      what();
      wake();
    });
  }
  function finish(error?: unknown): void {
    end ??= error === undefined ? {} : { error };
    wake();
  }
  const lose = (why: string) =>
    finish(new KonductorError("Unreachable", `cannot ${action}: ${why}`, { cause: new Error(why) }));
  function heard(): void {
    stopSilence();
    if (silenceTimeoutMs > 0)
      stopSilence = process.clock.after(silenceTimeoutMs, () => lose("nothing was heard"));
  }
  const isBlocked = () => isHanging || line.isCut || line.stalled.has(resource.plural);

  /** Delivers events in their order, and those that the line holds back once it lets go. */
  function deliver(event: WatchEvent): void {
    const dueMs = Math.max(onTheWay.at(-1)?.dueMs ?? 0, scheduler.nowMs() + line.latencyMs());
    onTheWay.push({ dueMs, event });
    scheduler.after(dueMs - scheduler.nowMs(), flush);
  }
  function flush(): void {
    if (isBlocked()) return;
    const events: WatchEvent[] = [];
    while ((onTheWay[0]?.dueMs ?? Number.POSITIVE_INFINITY) <= scheduler.nowMs())
      events.push(...onTheWay.splice(0, 1).map(({ event }) => event));
    if (events.length === 0) return;
    arrive(() => {
      heard();
      arrived.push(...events);
    });
  }

  /** Sends what the server's cache shows by now, unless the line holds it back. */
  function pump(): void {
    if (end || cursor < 0 || isBlocked()) return;
    flush();
    const changes = store.changes(resource);
    const nowMs = scheduler.nowMs();
    for (; cursor < changes.length; cursor++) {
      const change = changes[cursor];
      if (!change) break;
      const dueMs = change.atMs + server.lagMs;
      if (dueMs > nowMs) {
        if (dueMs < pumpAtMs) plan(dueMs);
        break;
      }
      if (change.version <= seenVersion) continue;
      seenVersion = change.version;
      const event = eventOf(change, matches);
      if (event) deliver(event);
    }
  }
  function plan(dueMs: number): void {
    pumpAtMs = dueMs;
    scheduler.after(dueMs - scheduler.nowMs(), () => {
      pumpAtMs = Number.POSITIVE_INFINITY;
      pump();
    });
  }
  /** Sends a bookmark. A cache that is behind bookmarks only what it has shown. */
  function bookmark(): void {
    if (end) return;
    scheduler.after(BOOKMARK_EVERY_MS, bookmark);
    if (isBlocked()) return;
    pump();
    if (cursor === store.changes(resource).length && server.lagMs === 0) seenVersion = store.version();
    if (seenVersion === markedVersion) return;
    markedVersion = seenVersion;
    const metadata = { resourceVersion: String(seenVersion) };
    deliver({
      type: "BOOKMARK",
      object: { kind: resource.kind, apiVersion: apiVersion(resource), metadata },
    });
  }
  function begin(): void {
    if (seenVersion < server.oldestVersion) {
      const refused = tooOld(resource);
      answer(refused.status, statusError(action, refused.status, refused.body));
      return;
    }
    answer(200);
    const changes = store.changes(resource);
    cursor = changes.findIndex(({ version }) => version > seenVersion);
    if (cursor < 0) cursor = changes.length;
    for (const set of [line.pumps, server.pumps]) {
      set.add(pump);
      stops.push(() => set.delete(pump));
    }
    pump();
    const endsAfterMs = (timeoutSeconds ?? Number.POSITIVE_INFINITY) * 1_000;
    scheduler.after(Math.min(BOOKMARK_EVERY_MS, endsAfterMs - BOOKMARK_BEFORE_END_MS), bookmark);
    if (timeoutSeconds === undefined) return;
    scheduler.after(endsAfterMs, () => send(scheduler, line, () => isHanging || arrive(() => finish())));
  }
  /** Checks the connection. TCP's probes are not answered either while the line is cut. */
  function probe(): void {
    if (end) return;
    if (line.isCut) lose("the connection was lost");
    else stops.push(process.clock.after(LOST_AFTER_MS, probe));
  }
  const abort = () => finish(signal.reason);

  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  heard();
  probe();
  const itself = {
    plural: resource.plural,
    hang() {
      isHanging = true;
    },
  };
  line.watches.add(itself);
  stops.push(() => line.watches.delete(itself));
  const fault = line.faultOf({ verb: "watch", resource });
  line.onCall({ verb: "watch", resource });
  if (fault?.is === "unanswered") isHanging = true;
  if (fault?.is === "refused") {
    answer(fault.status, statusError(action, fault.status, { message: "a fault of the story" }));
  } else send(scheduler, line, begin);
  try {
    for (;;) {
      for (let next = arrived.shift(); next; next = arrived.shift()) yield next;
      if (end) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (end.error !== undefined) throw end.error;
  } finally {
    end ??= {};
    stopSilence();
    signal.removeEventListener("abort", abort);
    for (const stop of stops) stop();
  }
}

/** The event that a change means for a watcher of the objects that match. */
function eventOf({ type, object, old }: Change, matches: (object: Json) => boolean): WatchEvent | undefined {
  const before = old !== undefined && matches(old);
  const now = type !== "DELETED" && matches(object);
  if (!before && !now) return undefined;
  return { type: !before ? "ADDED" : !now ? "DELETED" : "MODIFIED", object };
}
