/** Whatever is told, the API server gets no more than so many events a second, and every namespace has its share. */
import { expect, test } from "vitest";
import { createEventPacer } from "../../../src/kube/event-pacer.ts";
import type { EventReport } from "../../../src/kube/events.ts";
import { turnedClock } from "../gate/turned-clock.ts";

function stage(perSecond: number) {
  const clock = turnedClock(0);
  const told: { name: string; atMs: number }[] = [];
  /** By namespace: how many events wait to be written. */
  const pending = new Map<string, number>();
  const events = {
    pending: (namespace: string) => pending.get(namespace) ?? 0,
    record: ({ object }: EventReport) => void told.push({ name: object.name, atMs: clock.nowMs() }),
  };
  const pacer = createEventPacer({ events, clock, perSecond });
  return { clock, told, pacer, pending };
}

const about = (name: string) => (): EventReport => ({
  object: { apiVersion: "v1", kind: "Pod", namespace: "ns", name, uid: name },
  ...{ type: "Normal", reason: "Odd", message: "something is odd" },
});
const names = (told: readonly { name: string }[]) => told.map(({ name }) => name);

test("the first is told at once, and then so many a second", async () => {
  const { clock, told, pacer } = stage(10);
  for (let index = 0; index < 50; index++) pacer.tell("ns", about(`pod-${index}`));
  await clock.turn(0);
  expect(names(told)).toEqual(["pod-0"]);
  await clock.turn(60_000);
  expect(told.map(({ atMs }) => atMs)).toEqual(Array.from({ length: 50 }, (_, index) => index * 100));
  pacer.tell("ns", about("late"));
  await clock.turn(0);
  expect(told.at(-1)).toEqual({ name: "late", atMs: 60_000 });
});

test("namespaces take turns", async () => {
  const { clock, told, pacer } = stage(10);
  for (let index = 0; index < 50; index++) pacer.tell("loud", about(`loud-${index}`));
  for (const name of ["quiet-0", "quiet-1"]) pacer.tell("quiet", about(name));
  await clock.turn(400);
  expect(names(told)).toEqual(["loud-0", "quiet-0", "loud-1", "quiet-1", "loud-2"]);
});

test("a namespace whose events are written slowly waits, and keeps its turn", async () => {
  const { clock, told, pacer, pending } = stage(10);
  pending.set("slow", 21);
  for (const name of ["slow-0", "slow-1"]) pacer.tell("slow", about(name));
  pacer.tell("quiet", about("quiet"));
  await clock.turn(5_000);
  expect(names(told)).toEqual(["quiet"]);
  pending.set("slow", 20);
  await clock.turn(100);
  expect(names(told)).toEqual(["quiet", "slow-0"]);
  await clock.turn(100);
  expect(names(told)).toEqual(["quiet", "slow-0", "slow-1"]);
});

test("what has nothing to say any more takes no turn", async () => {
  const { clock, told, pacer } = stage(1);
  for (let index = 0; index < 20; index++) pacer.tell("ns", () => undefined);
  pacer.tell("ns", about("pod"));
  await clock.turn(0);
  expect(told).toEqual([{ name: "pod", atMs: 0 }]);
});

test("what waits is bounded, for each namespace and in all", async () => {
  const { clock, told, pacer } = stage(10);
  const taken = (namespace: string) =>
    Array.from({ length: 1_000 }, () => pacer.tell(namespace, about(namespace))).filter(Boolean).length;
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
