import { beforeEach, expect, test } from "vitest";
import type { LeaseRequest } from "../../../src/lease/types.ts";
import { createWaiters, type Waiter } from "../../../src/webhook/gate-api/waiters.ts";
import { LEASE_KEY, leaseHeldBy, memoryCaches, requestOf } from "./samples.ts";

let told: string[];
let caches: ReturnType<typeof memoryCaches>;
let waiters: ReturnType<typeof createWaiters>;

beforeEach(() => {
  told = [];
  caches = memoryCaches();
  waiters = createWaiters({ caches }, { outdate: () => {}, forget: () => {} });
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
    onRequestDenied: tell("is denied"),
    onPassedOver: tell("is passed over"),
  };
}

test("a new holder is told to all, a renewal to nobody", () => {
  for (const pod of ["one", "two"]) waiters.add(waiterOf(requestOf(pod, 1)));
  caches.leases.apply(leaseHeldBy("somebody", 1));
  expect(told.splice(0)).toEqual(["one sees another", "two sees another"]);
  caches.leases.apply(leaseHeldBy("somebody", 1, { renewals: 1 }));
  expect(told.splice(0)).toEqual([]);
  caches.leases.apply(leaseHeldBy("two", 2));
  expect(told.splice(0)).toEqual(["two holds", "one sees another"]);
});

test("what happens to a request is told to the one who waits by it", () => {
  const request = requestOf("one", 1);
  waiters.add(waiterOf(request));
  waiters.add(waiterOf(requestOf("two", 2)));
  caches.requests.apply(requestOf("one", 1, {}, { phase: "Pending", reason: "NotConfirmed" }));
  caches.requests.apply(requestOf("two", 2, {}, { phase: "Denied", reason: "Held" }));
  expect(told).toEqual(["one is passed over", "two is denied"]);
});

test("who has gone is told nothing, and takes nobody along who came in its place", () => {
  const request = requestOf("one", 1);
  const first = waiterOf(request);
  waiters.add(first);
  waiters.add(waiterOf(request));
  waiters.remove(first);
  caches.leases.apply(leaseHeldBy("somebody", 1));
  expect(told).toEqual(["one sees another"]);
});
