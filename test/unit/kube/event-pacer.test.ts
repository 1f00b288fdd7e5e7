/** Whatever is told, the API server gets no more than so many events a second, and every namespace has its share. */
import { expect, test } from "vitest";
import { createEventPacer } from "../../../src/kube/event-pacer.ts";
import { turnedClock } from "../gate/turned-clock.ts";

function stage(perSecond: number) {
  const clock = turnedClock(0);
  const told: { name: string; atMs: number }[] = [];
  /** Namespaces in which an event is being written. */
  const busy = new Set<string>();
  const pace = { perSecond };
  const pacer = createEventPacer({
    ...{ clock, isBusy: (namespace) => busy.has(namespace) },
    perSecond: () => pace.perSecond,
  });
  function tell(namespace: string, name: string, isUrgent?: boolean): boolean {
    const turn = () => {
      told.push({ name, atMs: clock.nowMs() });
      return true;
    };
    return pacer.queue(namespace, turn, isUrgent);
  }
  function tellAgain(namespace: string, name: string): void {
    pacer.queueAgain(namespace, () => told.push({ name, atMs: clock.nowMs() }) > 0);
  }
  return { clock, told, pacer, tell, tellAgain, busy, pace };
}

const names = (told: readonly { name: string }[]) => told.map(({ name }) => name);

test("the first is told at once, and then so many a second", async () => {
  const { clock, told, tell } = stage(10);
  for (let index = 0; index < 50; index++) tell("ns", `pod-${index}`);
  await clock.turn(0);
  expect(names(told)).toEqual(["pod-0"]);
  await clock.turn(60_000);
  expect(told.map(({ atMs }) => atMs)).toEqual(Array.from({ length: 50 }, (_, index) => index * 100));
  tell("ns", "late");
  await clock.turn(0);
  expect(told.at(-1)).toEqual({ name: "late", atMs: 60_000 });
});

test("namespaces take turns", async () => {
  const { clock, told, tell } = stage(10);
  for (let index = 0; index < 50; index++) tell("loud", `loud-${index}`);
  for (const name of ["quiet-0", "quiet-1"]) tell("quiet", name);
  await clock.turn(400);
  expect(names(told)).toEqual(["loud-0", "quiet-0", "loud-1", "quiet-1", "loud-2"]);
});

test("what is urgent comes first, and leaves every fourth turn to the rest", async () => {
  const { clock, told, tell } = stage(10);
  for (const name of ["plain-0", "plain-1", "plain-2"]) tell("ns", name);
  for (let index = 0; index < 5; index++) tell("ns", `urgent-${index}`, true);
  await clock.turn(1_000);
  expect(names(told)).toEqual([
    ...["urgent-0", "urgent-1", "urgent-2", "plain-0", "urgent-3", "urgent-4", "plain-1", "plain-2"],
  ]);
});

test("a crowd of others leaves room for what is urgent", async () => {
  const { clock, told, tell } = stage(10);
  for (let index = 0; index < 5_000; index++) tell(`ns-${index % 50}`, "plain");
  const taken = [tell("ns-0", "plain"), ...Array.from({ length: 101 }, () => tell("ns-0", "urgent", true))];
  expect(taken).toEqual([false, ...Array(100).fill(true), false]);
  await clock.turn(0);
  expect(names(told)).toEqual(["urgent"]);
});

test("the pace may change between two turns", async () => {
  const { clock, told, tell, pace } = stage(1);
  for (let index = 0; index < 4; index++) tell("ns", `pod-${index}`);
  await clock.turn(1_500);
  pace.perSecond = 10;
  await clock.turn(1_000);
  expect(told.map(({ atMs }) => atMs)).toEqual([0, 1_000, 2_000, 2_100]);
});

test("a namespace in which an event is being written waits, and keeps its turn", async () => {
  const { clock, told, tell, busy } = stage(10);
  busy.add("slow");
  for (const name of ["slow-0", "slow-1"]) tell("slow", name);
  tell("quiet", "quiet");
  await clock.turn(5_000);
  expect(names(told)).toEqual(["quiet"]);
  busy.delete("slow");
  await clock.turn(100);
  expect(names(told)).toEqual(["quiet", "slow-0"]);
  await clock.turn(100);
  expect(names(told)).toEqual(["quiet", "slow-0", "slow-1"]);
});

test("what is tried again is the next of its namespace, takes a turn, and has room", async () => {
  const { clock, told, pacer, tell, tellAgain } = stage(10);
  for (let index = 0; index < 100; index++) tell("ill", `ill-${index}`);
  for (const name of ["well-0", "well-1"]) tell("well", name);
  tellAgain("ill", "again");
  tellAgain("new", "new");
  expect(pacer.waiting("ill")).toBe(101);
  await clock.turn(400);
  expect(told).toEqual(
    ["again", "well-0", "new", "ill-0", "well-1"].map((name, index) => ({ name, atMs: index * 100 })),
  );
});

test("what has nothing to say any more takes no turn", async () => {
  const { clock, told, pacer, tell } = stage(1);
  for (let index = 0; index < 20; index++) pacer.queue("ns", () => false);
  tell("ns", "pod");
  await clock.turn(0);
  expect(told).toEqual([{ name: "pod", atMs: 0 }]);
});

test("what waits is bounded, for each namespace and in all", async () => {
  const { clock, told, pacer, tell } = stage(10);
  const taken = (namespace: string) =>
    Array.from({ length: 1_000 }, () => tell(namespace, namespace)).filter(Boolean).length;
  expect(taken("ns-0")).toBe(100);
  expect(pacer.waiting("ns-0")).toBe(100);
  const others = Array.from({ length: 99 }, (_, index) => taken(`ns-${index + 1}`));
  // However much waits, a namespace of which nothing does is not shut out.
  expect(others).toEqual([...Array(19).fill(100), ...Array(80).fill(1)]);
  await clock.turn(1_000_000);
  expect(told).toHaveLength(2_080);
  expect(pacer.waiting("ns-0")).toBe(0);
  expect(taken("ns-50")).toBe(100);
});
