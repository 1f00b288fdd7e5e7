import { expect, test } from "vitest";
import { createQueueView } from "../../../src/server/gate-api/acquire/queue-view.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { LEASE_KEY, leaseHeldBy, memoryCaches, requestOf } from "./samples.ts";

function queueOf(...requests: ReturnType<typeof requestOf>[]) {
  const clock = turnedClock();
  const caches = memoryCaches();
  for (const request of requests) caches.requests.apply(request);
  return { caches, clock, view: createQueueView({ caches, clock }) };
}

test("places follow priority, then age, and leave out the holder", () => {
  const [old, young, urgent] = [
    requestOf("old", 1),
    requestOf("young", 2),
    requestOf("urgent", 3, { priority: 5 }),
  ];
  const { caches, view } = queueOf(old, young, urgent, requestOf("holder", 0));
  caches.leases.apply(leaseHeldBy("holder", 1));
  expect(view.placeOf(LEASE_KEY, urgent)).toEqual({ position: 1, of: 3 });
  expect(view.placeOf(LEASE_KEY, old)).toEqual({ position: 2, of: 3 });
  expect(view.placeOf(LEASE_KEY, young)).toEqual({ position: 3, of: 3 });
});

test("a queue rests between two looks, and newcomers see their future places", async () => {
  const crowd = Array.from({ length: 1_000 }, (_, index) => requestOf(`pod-${index}`, index));
  const [first] = crowd;
  if (!first) throw new Error("no crowd");
  const { caches, clock, view } = queueOf(...crowd);
  expect(view.placeOf(LEASE_KEY, first)).toEqual({ position: 1, of: 1_000 });

  const urgent = requestOf("urgent", 5_000, { priority: 1 });
  caches.requests.apply(urgent);
  view.outdate(LEASE_KEY);
  expect(view.placeOf(LEASE_KEY, urgent)).toEqual({ position: 1, of: 1_001 });
  expect(view.placeOf(LEASE_KEY, first)).toEqual({ position: 1, of: 1_000 });

  await clock.turn(100);
  expect(view.placeOf(LEASE_KEY, first)).toEqual({ position: 2, of: 1_001 });
});

test("a new holder is seen at once", () => {
  const requests = Array.from({ length: 1_000 }, (_, index) => requestOf(`pod-${index}`, index));
  const second = requests[1];
  if (!second) throw new Error("no crowd");
  const { caches, view } = queueOf(...requests);
  expect(view.placeOf(LEASE_KEY, second)).toEqual({ position: 2, of: 1_000 });
  caches.leases.apply(leaseHeldBy("pod-0", 1));
  view.outdate(LEASE_KEY, { atOnce: true });
  expect(view.placeOf(LEASE_KEY, second)).toEqual({ position: 1, of: 999 });
});
