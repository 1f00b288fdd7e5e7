import { beforeEach, expect, test } from "vitest";
import type { LeaseRequest } from "../../../src/lease/types.ts";
import { FRESH_FOR_MS } from "../../../src/objects/freshness.ts";
import { createWaiters, type Waiter } from "../../../src/server/gate-api/acquire/waiters.ts";
import { type TurnedClock, turnedClock } from "../gate/turned-clock.ts";
import { LEASE_KEY, leaseHeldBy, memoryCaches, requestOf } from "./samples.ts";

let clock: TurnedClock;
let told: string[];
let caches: ReturnType<typeof memoryCaches>;
let waiters: ReturnType<typeof createWaiters>;

beforeEach(() => {
  clock = turnedClock();
  told = [];
  caches = memoryCaches();
  waiters = createWaiters({ caches, clock }, { outdate: () => {}, forget: () => {} });
});

function waiterOf(request: LeaseRequest): Waiter {
  const { holder } = request.spec;
  const tell = (what: string) => () => void told.push(`${holder} ${what}`);
  return {
    key: LEASE_KEY,
    claimant: holder,
    request,
    onHolding: tell("holds"),
    onHolderChange: tell("sees another"),
    onRequestDeleted: tell("is deleted"),
    onRequestAnswered: tell("is answered"),
    onPassedOver: tell("is passed over"),
    onSentAway: tell("is sent away"),
  };
}

test("all waiters are told of a new holder, and none of a renewal", () => {
  for (const pod of ["one", "two"]) waiters.add(waiterOf(requestOf(pod, 1)));
  caches.leases.apply(leaseHeldBy("somebody", 1));
  expect(told.splice(0)).toEqual(["one sees another", "two sees another"]);
  caches.leases.apply(leaseHeldBy("somebody", 1, { renewals: 1 }));
  expect(told.splice(0)).toEqual([]);
  caches.leases.apply(leaseHeldBy("two", 2));
  expect(told.splice(0)).toEqual(["two holds", "one sees another"]);
});

test("the new holder is told first, and the others a few at a time of the latest holder", async () => {
  const COUNT = 120;
  const others = () => told.filter((line) => line.endsWith("sees another")).length;
  const crowd = Array.from({ length: COUNT }, (_, index) => waiterOf(requestOf(`pod-${index}`, index)));
  crowd.forEach(waiters.add);
  caches.leases.apply(leaseHeldBy("pod-119", 2));
  expect(told[0]).toBe("pod-119 holds");
  expect(others()).toBeLessThan(COUNT / 2);
  await clock.turn(0);
  expect(others()).toBe(COUNT - 1);

  told.length = 0;
  caches.leases.apply(leaseHeldBy("somebody", 3));
  const [first, , last] = [crowd[0], crowd[1], crowd.at(-1)];
  if (first && last) for (const gone of [first, last]) waiters.remove(gone);
  caches.leases.apply(leaseHeldBy("pod-60", 4));
  await clock.turn(0);
  expect(told.filter((line) => line.startsWith("pod-60"))).toEqual(["pod-60 holds"]);
  expect(told).not.toContain("pod-119 sees another");
  expect(told).toContain("pod-118 sees another");
});

test("a change of a request is told to its waiter", () => {
  const request = requestOf("one", 1);
  waiters.add(waiterOf(request));
  waiters.add(waiterOf(requestOf("two", 2)));
  caches.requests.apply(requestOf("one", 1, {}, { phase: "Pending", reason: "NotConfirmed" }));
  caches.requests.apply(requestOf("two", 2, {}, { phase: "Denied", reason: "Held" }));
  expect(told).toEqual(["one is passed over", "two is answered"]);
});

test("a waiter that has gone is told nothing, and does not remove its successor", () => {
  const request = requestOf("one", 1);
  const first = waiterOf(request);
  waiters.add(first);
  waiters.add(waiterOf(request));
  waiters.remove(first);
  caches.leases.apply(leaseHeldBy("somebody", 1));
  expect(told).toEqual(["one sees another"]);
});

/** Adds `count` waiters that leave when they are sent away. Returns those that have left, with the time. */
function crowd(count: number) {
  const left: { holder: string; atMs: number }[] = [];
  for (let index = 0; index < count; index++) {
    const waiter: Waiter = {
      ...waiterOf(requestOf(`pod-${index}`, index)),
      onSentAway() {
        left.push({ holder: waiter.claimant, atMs: clock.monotonicMs() - beganMs });
        waiters.remove(waiter);
      },
    };
    waiters.add(waiter);
  }
  return left;
}

let beganMs: number;
beforeEach(() => {
  beganMs = clock.monotonicMs();
});

/** Lets the cache's last event lie `ageMs` ago. */
function heardOf(cache: "leases" | "requests", ageMs: number): void {
  caches[cache].lastEventMonotonicMs = clock.monotonicMs() - ageMs;
}

test.each(["leases", "requests"] as const)(
  "nobody waits at a replica without news of %s for 20 s, however fresh its other cache is",
  async (silent) => {
    const left = crowd(1);
    heardOf(silent, 0);
    await clock.turn(FRESH_FOR_MS);
    expect(left).toEqual([]);
    await clock.turn(3_000);
    expect(left).toHaveLength(1);
  },
);

test("a cache that is late only once sends nobody away", async () => {
  const left = crowd(3);
  heardOf("leases", 0);
  await clock.turn(FRESH_FOR_MS + 1_000);
  heardOf("leases", 0);
  await clock.turn(FRESH_FOR_MS);
  expect(left).toEqual([]);
});

test("a crowd is sent away little by little in order of arrival, newcomers last", async () => {
  const left = crowd(1_000);
  heardOf("requests", FRESH_FOR_MS);
  await clock.turn(2_999);
  crowd(1);
  await clock.turn(4_000);
  expect(left.map(({ holder }) => holder)).toEqual(
    Array.from({ length: 1_000 }, (_, index) => `pod-${index}`),
  );
  for (let second = 0; second < 7; second++) {
    const inSecond = left.filter(({ atMs }) => Math.floor(atMs / 1_000) === second);
    expect(inSecond.length).toBeLessThanOrEqual(250);
  }
});

test("waiters that are left when the caches are fresh again stay", async () => {
  const left = crowd(1_000);
  heardOf("requests", FRESH_FOR_MS);
  await clock.turn(3_000);
  heardOf("requests", 0);
  const gone = left.length;
  expect(gone).toBeGreaterThan(0);
  await clock.turn(FRESH_FOR_MS);
  expect(left).toHaveLength(gone);
});

test("a draining replica sends all waiters away, including newcomers, and resolves when all have gone", async () => {
  const left = crowd(100);
  let isEmpty = false;
  const drained = waiters.drain().then(() => {
    isEmpty = true;
  });
  await clock.turn(200);
  expect([isEmpty, left.length]).toEqual([false, 75]);
  await clock.turn(100);
  await drained;
  expect(left).toHaveLength(100);
  const late = crowd(1);
  await clock.turn(0);
  expect(late).toHaveLength(1);
});
