/** When a reflector gives up a watch. All else is tested on a real API server. */
import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { KubeClient, ListOptions, WatchEvent, WatchOptions } from "../../../src/kube/api.ts";
import { createReflector } from "../../../src/kube/reflector.ts";
import { LEASES } from "../../../src/kube/resources.ts";
import { parseLease } from "../../../src/lease/codec.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { type TurnedClock, turnedClock } from "../gate/turned-clock.ts";
import { leaseHeldBy } from "../gate-api/samples.ts";

/** A watch that the server has accepted. */
interface Accepted {
  options: WatchOptions;
  say(event: WatchEvent): void;
  end(): void;
}

let clock: TurnedClock;
let stop: AbortController;
beforeEach(() => {
  clock = turnedClock();
  stop = new AbortController();
});
afterEach(() => stop.abort());

interface Following {
  endsAtOnce?: boolean;
  /** How long a list, by its number, waits for its answer. It waits forever if the answer is lost. */
  firstByteMs?: (list: number) => number;
}

/** A reflector of kleases, and the watches that it has opened. */
async function follow({ endsAtOnce = false, firstByteMs = () => 0 }: Following = {}) {
  const troubles: unknown[] = [];
  const watches: Accepted[] = [];
  let lists = 0;
  const client: KubeClient = Object.assign(Object.create(null), {
    async list(_resource: unknown, { silenceTimeoutMs = Number.POSITIVE_INFINITY }: ListOptions) {
      const delayMs = firstByteMs(lists++);
      if (delayMs > 0) await clock.sleep(Math.min(delayMs, silenceTimeoutMs));
      if (delayMs > silenceTimeoutMs) throw new KonductorError("Unreachable", "silence");
      return { items: [], resourceVersion: "10", continue: undefined };
    },
    async *watch(_resource: unknown, options: WatchOptions, signal: AbortSignal): AsyncGenerator<WatchEvent> {
      const events: (WatchEvent | "end")[] = endsAtOnce ? ["end"] : [];
      let heard = Promise.withResolvers<void>();
      const put = (event: WatchEvent | "end") => {
        events.push(event);
        heard.resolve();
      };
      watches.push({ options, say: put, end: () => put("end") });
      const aborted = once(signal, "abort");
      for (;;) {
        const next = events.shift();
        if (next === "end") return;
        if (next) yield next;
        else await Promise.race([heard.promise, aborted]);
        signal.throwIfAborted();
        heard = Promise.withResolvers();
      }
    },
  });
  const reflector = createReflector({
    client,
    resource: LEASES,
    parse: parseLease,
    clock,
    logger: createLogger({ level: "silent" }),
    random: () => 0,
    fieldSelector: "a=b",
    onTrouble: (error) => troubles.push(error instanceof KonductorError ? error.code : error),
  });
  const beganMs = clock.monotonicMs();
  let syncedAfterMs = Number.NaN;
  void reflector.synced.then(() => {
    syncedAfterMs = clock.monotonicMs() - beganMs;
  });
  reflector.start(stop.signal);
  await clock.turn(0);
  for (let turns = 0; turns < 120 && Number.isNaN(syncedAfterMs); turns++) await clock.turn(500);
  await reflector.synced;
  return {
    reflector,
    watches,
    troubles,
    syncedAfterMs,
    lists: () => lists,
    heardAgoMs: () => clock.monotonicMs() - (reflector.lastEventMonotonicMs ?? Number.NaN),
    watchAt: (index: number): Accepted => {
      const watch = watches[index];
      if (!watch) throw new Error(`there is no watch ${index}`);
      return watch;
    },
  };
}

const bookmark = (resourceVersion: string): WatchEvent => ({
  type: "BOOKMARK",
  object: { metadata: { resourceVersion } },
});

test("a silent watch is replaced 8 s after its last event, from its last version and without a new list", async () => {
  const { watchAt, watches, lists, reflector } = await follow();
  await clock.turn(5_000);
  watchAt(0).say(bookmark("17"));
  await clock.turn(7_999);
  expect(watches).toHaveLength(1);
  await clock.turn(1_000);
  expect(watches).toHaveLength(2);
  expect(watchAt(1).options.resourceVersion).toBe("17");
  expect(lists()).toBe(1);
  // The new watch shows what the dead one withheld.
  const granted = leaseHeldBy("pod", 18);
  watchAt(1).say({
    type: "ADDED",
    object: { metadata: { ...granted }, spec: { ttl: "10m" }, status: { phase: "Available" } },
  });
  await clock.turn(0);
  expect(reflector.store.get("a/report")?.resourceVersion).toBe("18");
});

test("each watch is requested for less time than silence is tolerated, so that a healthy watch is heard from", async () => {
  const { watchAt, watches, heardAgoMs, lists } = await follow();
  const { timeoutSeconds = Number.POSITIVE_INFINITY, allowWatchBookmarks } = watchAt(0).options;
  expect([allowWatchBookmarks, timeoutSeconds < 8]).toEqual([true, true]);
  for (let index = 0; index < 5; index++) {
    await clock.turn(timeoutSeconds * 1_000);
    expect(watches).toHaveLength(index + 1);
    watchAt(index).end();
    await clock.turn(0);
    expect([watches.length, heardAgoMs()]).toEqual([index + 2, 0]);
  }
  expect(lists()).toBe(1);
});

test("neither silence nor watches that end at once count as news from the server", async () => {
  const silent = await follow();
  await clock.turn(20_000);
  expect(silent.heardAgoMs()).toBe(20_000);
  const closing = await follow({ endsAtOnce: true });
  await clock.turn(20_000);
  expect(closing.watches.length).toBeGreaterThan(1);
  expect(closing.heardAgoMs()).toBe(20_000);
});

test.each([1, 2, 3])(
  "a list whose answer is lost is requested again after 5 s: %i in a row",
  async (lost) => {
    const { lists, syncedAfterMs } = await follow({
      firstByteMs: (list) => (list < lost ? Number.POSITIVE_INFINITY : 0),
    });
    expect(lists()).toBe(lost + 1);
    expect(syncedAfterMs).toBeLessThan([0, 6_000, 17_000, 38_000][lost] ?? 0);
  },
);

test("a later list whose answer is lost is requested again, too, after the same time", async () => {
  const { reflector, lists } = await follow({
    firstByteMs: (list) => (list % 2 === 1 ? Number.POSITIVE_INFINITY : 0),
  });
  for (let times = 1; times <= 3; times++) {
    let isListed = false;
    void reflector.relist().then(() => {
      isListed = true;
    });
    await clock.turn(4_000);
    expect([isListed, lists()]).toEqual([false, 2 * times]);
    await clock.turn(2_000);
    expect([isListed, lists()]).toEqual([true, 2 * times + 1]);
  }
});

test("a server that answers every list after 15 s is awaited", async () => {
  const { lists, syncedAfterMs } = await follow({ firstByteMs: () => 15_000 });
  expect(lists()).toBe(3);
  expect(syncedAfterMs).toBeLessThan(5_000 + 10_000 + 15_000 + 3_000);
});

test("a trouble is told with each failure, and its end once, when the server is heard again", async () => {
  const { troubles, watchAt } = await follow({
    firstByteMs: (list) => (list < 2 ? Number.POSITIVE_INFINITY : 0),
  });
  expect(troubles).toEqual(["Unreachable", "Unreachable", undefined]);
  watchAt(0).say(bookmark("11"));
  await clock.turn(0);
  expect(troubles).toHaveLength(3);
});

test("the field selector is that of every list and every watch", async () => {
  const { watchAt } = await follow();
  expect(watchAt(0).options.fieldSelector).toBe("a=b");
});
