import fc from "fast-check";
import { expect, test } from "vitest";
import { compareRequests, headOfQueue, NOT_CONFIRMED, waitingInOrder } from "../../../src/lease/order.ts";
import type { LeaseRequest } from "../../../src/lease/types.ts";
import { aHold, aLease, aRequest, NOW_MS } from "./samples.ts";

const LEASE = { spec: { ttlMs: 1, priority: 5, renewable: true } };
const named = (name: string, priority: number | undefined, requestedAtMs: number) =>
  aRequest({ name, spec: { requestedAtMs, ...(priority !== undefined && { priority }) } });

test.each([
  ["the higher priority first, although it came later", [named("a", 1, 1), named("b", 2, 9)], ["b", "a"]],
  [
    "a request without a priority has the Lease's priority",
    [named("a", 4, 1), named("b", undefined, 9), named("c", 6, 10)],
    ["c", "b", "a"],
  ],
  ["0 is a priority, not a missing one", [named("a", 0, 1), named("b", undefined, 9)], ["b", "a"]],
  ["negative priorities come last", [named("a", -1, 1), named("b", 0, 2)], ["b", "a"]],
  ["then the older request", [named("a", 1, 2), named("b", 1, 1)], ["b", "a"]],
  ["then by name", [named("b", 1, 1), named("a", 1, 1)], ["a", "b"]],
])("%s", (_, requests, names) => {
  expect(waitingInOrder(LEASE, requests).map(({ name }) => name)).toEqual(names);
});

test("only pending requests that are not being deleted wait, and a passed-over one keeps its place", () => {
  const requests = [
    aRequest({ name: "granted", status: { phase: "Granted" } }),
    aRequest({ name: "denied", status: { phase: "Denied" } }),
    aRequest({ name: "leaving", terminating: true }),
    aRequest({ name: "passed-over", status: { phase: "Pending", reason: NOT_CONFIRMED } }),
    aRequest({ name: "waits" }),
  ];
  expect(waitingInOrder(LEASE, requests).map(({ name }) => name)).toEqual(["passed-over", "waits"]);
});

test("the order is total and does not depend on how requests arrive", () => {
  const small = fc.integer({ min: -1, max: 1 });
  const request = fc
    .tuple(fc.constantFrom("a", "b", "c", "d"), fc.option(small, { nil: undefined }), small)
    .map(([name, priority, requestedAtMs]) => named(name, priority, requestedAtMs));
  fc.assert(
    fc.property(
      fc.uniqueArray(request, { selector: ({ name }) => name }),
      fc.infiniteStream(fc.nat()),
      (requests, random) => {
        const shuffled = requests
          .map((request) => ({ request, rank: random.next().value ?? 0 }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ request }) => request);
        expect(waitingInOrder(LEASE, shuffled)).toEqual(waitingInOrder(LEASE, requests));
        for (const a of requests) {
          for (const b of requests) {
            const order = compareRequests(LEASE)(a, b);
            expect(order === 0).toBe(a === b);
            expect(Math.sign(compareRequests(LEASE)(b, a)) + Math.sign(order)).toBe(0);
          }
        }
      },
    ),
  );
});

test("the head of the queue is the first who could use a grant; all who wait are counted", () => {
  const lease = aLease({ hold: aHold(), lastRequest: "granted-last" });
  const head = (...requests: LeaseRequest[]) =>
    headOfQueue(lease, { requests, evidenceOf: () => ({ is: "unknown" }), nowMs: NOW_MS });
  const passedOver = aRequest({
    name: "a",
    spec: { requestedAtMs: NOW_MS - 9 },
    status: { phase: "Pending", reason: NOT_CONFIRMED },
  });
  const first = aRequest({ name: "b", spec: { holder: "run-b", requestedAtMs: NOW_MS - 8 } });
  const second = aRequest({ name: "c", spec: { requestedAtMs: NOW_MS - 7 } });
  const next = { holder: "run-b", sinceMs: NOW_MS - 8 };
  expect(head(second, passedOver, first)).toEqual({ waiters: 3, next });
  expect(head(passedOver)).toEqual({ waiters: 1 });
  expect(head({ ...first, uid: "granted-last" }, aRequest({ status: { phase: "Granted" } }))).toEqual({
    waiters: 0,
  });
});

test("whoever cannot use a grant now is counted, but is not next", () => {
  const waiter = (name: string, age: number) =>
    aRequest({
      name,
      spec: { holder: name, ref: { kind: "Pod", name, uid: name }, requestedAtMs: NOW_MS - age },
    });
  const requests = [waiter("gone", 9), waiter("unseen", 7), waiter("passed", 8)];
  const gone = { is: "gone", isFinal: true, nodeOutOfService: false } as const;
  const evidenceOf = ({ name }: { name: string }) => (name === "gone" ? gone : ({ is: "unknown" } as const));
  expect(headOfQueue(aLease(), { requests, evidenceOf, nowMs: NOW_MS, passOver: requests[2] })).toEqual({
    waiters: 3,
    next: { holder: "unseen", sinceMs: NOW_MS - 7 },
  });
});
