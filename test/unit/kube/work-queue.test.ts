import { expect, test } from "vitest";
import { createWorkQueue } from "../../../src/kube/work-queue.ts";
import { turnedClock } from "../gate/turned-clock.ts";

/** A running queue whose handlers wait until a test finishes them. */
function start(workers: number, flowOf?: (key: string) => string) {
  const clock = turnedClock();
  const errors: string[] = [];
  const queue = createWorkQueue({
    clock,
    backoff: (attempt) => 100 * 2 ** attempt,
    ...(flowOf && { flowOf }),
    onError: (key) => errors.push(key),
  });
  const stop = new AbortController();
  const begun: string[] = [];
  const running: { key: string; end: PromiseWithResolvers<void> }[] = [];
  const ended = queue.run(
    workers,
    async (key) => {
      const end = Promise.withResolvers<void>();
      begun.push(key);
      running.push({ key, end });
      await end.promise;
    },
    stop.signal,
  );
  const take = (key: string) => {
    const index = running.findIndex((call) => call.key === key);
    const [call] = running.splice(index, 1);
    if (index < 0 || !call) throw new Error(`nobody works on ${key}`);
    return call.end;
  };
  const finish = async (key: string, error?: Error) => {
    if (error) take(key).reject(error);
    else take(key).resolve();
    await clock.turn(0);
  };
  return { clock, queue, stop, ended, begun, errors, finish };
}

test("a key waits only once, and keys are handled in their order", async () => {
  const { clock, queue, begun, finish } = start(1);
  for (const key of ["a", "b", "a", "c", "b"]) queue.add(key);
  await clock.turn(0);
  await finish("a");
  await finish("b");
  await finish("c");
  expect(begun).toEqual(["a", "b", "c"]);
});

test("flows take turns, however many keys one of them has and whatever is added meanwhile", async () => {
  const { clock, queue, begun, finish } = start(1, (key) => key.slice(0, 1));
  for (const key of ["a1", "a2", "a3", "a4", "b1", "b2"]) queue.add(key);
  expect(queue.size).toBe(6);
  await clock.turn(0);
  await finish("a1");
  queue.add("c1");
  for (const key of ["b1", "a2", "b2", "c1", "a3", "a4"]) await finish(key);
  expect(begun).toEqual(["a1", "b1", "a2", "b2", "c1", "a3", "a4"]);
  expect(queue.size).toBe(0);
});

test("two workers never have the same key, and a key that is added while it is handled is handled once more", async () => {
  const { clock, queue, begun, finish } = start(2);
  queue.add("a");
  await clock.turn(0);
  queue.add("a");
  queue.add("a");
  queue.add("b");
  await clock.turn(0);
  expect(begun).toEqual(["a", "b"]);
  await finish("a");
  expect(begun).toEqual(["a", "b", "a"]);
  await finish("a");
  expect(begun).toEqual(["a", "b", "a"]);
});

test("the shortest of several delays counts", async () => {
  const { clock, queue, begun } = start(1);
  queue.addAfter("a", 500);
  queue.addAfter("a", 200);
  queue.addAfter("a", 900);
  await clock.turn(199);
  expect(begun).toEqual([]);
  await clock.turn(1);
  expect(begun).toEqual(["a"]);
  await clock.turn(1000);
  expect(queue.size).toBe(0);
});

test("a failing key is retried after growing delays until it is forgotten", async () => {
  const { clock, queue, begun, errors, finish } = start(1);
  queue.add("a");
  for (const delayMs of [100, 200, 400]) {
    await clock.turn(0);
    const before = begun.length;
    await finish("a", new Error("no"));
    await clock.turn(delayMs - 1);
    expect(begun).toHaveLength(before);
    await clock.turn(1);
    expect(begun).toHaveLength(before + 1);
  }
  expect(errors).toEqual(["a", "a", "a"]);
  queue.forget("a");
  await finish("a", new Error("no"));
  await clock.turn(100);
  expect(begun).toHaveLength(5);
});

test("an aborted run ends with its last handler, and leaves the rest to the next run", async () => {
  const { clock, queue, stop, ended, begun, finish } = start(1);
  queue.add("a");
  queue.add("b");
  await clock.turn(0);
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  stop.abort();
  await clock.turn(0);
  expect(hasEnded).toBe(false);
  await finish("a");
  await ended;
  expect(begun).toEqual(["a"]);

  const next = new AbortController();
  const keys: string[] = [];
  await queue.run(
    2,
    async (key) => {
      keys.push(key);
      next.abort();
    },
    next.signal,
  );
  expect(keys).toEqual(["b"]);
});

test("a run that ends while all workers are idle ends", async () => {
  const { stop, ended } = start(3);
  stop.abort();
  await ended;
});

test("keys with slow handlers leave room for others, and are still handled one at a time", async () => {
  const { clock, queue, stop, ended, begun, finish } = start(1);
  for (const key of ["hangs", "hangs too", "other"]) queue.add(key);
  await clock.turn(5_000);
  queue.add("hangs");
  await clock.turn(5_000);
  expect(begun).toEqual(["hangs", "hangs too", "other"]);
  stop.abort();
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  await finish("other");
  await finish("hangs");
  await clock.turn(5_000);
  expect(hasEnded).toBe(false);
  await finish("hangs too");
  await ended;
});
