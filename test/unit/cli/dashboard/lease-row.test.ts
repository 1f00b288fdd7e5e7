/** What a row of the dashboard says of a klease. */
import { expect, test } from "vitest";
import { leaseRow, MOST_WAITERS } from "../../../../src/cli/dashboard/lease-row.ts";
import { aHold, aLease, aRequest, held, NOW_MS } from "../../lease/samples.ts";

const waiter = (name: string, spec: Parameters<typeof aRequest>[0] & object = {}) =>
  aRequest({ name, ...spec, spec: { holder: name, requestedAtMs: NOW_MS - 5_000, ...spec.spec } });
const rowOf = (facts: Partial<Parameters<typeof leaseRow>[0]> = {}) =>
  leaseRow({ lease: held(), requests: [], ended: [], nowMs: NOW_MS, ...facts });

test("a klease that nobody holds", () => {
  expect(rowOf({ lease: aLease() })).toMatchObject({
    ...{ key: "ns/nightly", namespace: "ns", name: "nightly", uid: "lease-uid" },
    ...{
      phase: "Available",
      ttlMs: 60_000,
      hold: undefined,
      past: [],
      waiting: 0,
      waiters: [],
      conditions: [],
    },
  });
});

test("the present hold, with its last renewal", () => {
  const { acquiredMs, expiresMs } = aHold();
  expect(rowOf()).toMatchObject({
    phase: "Held",
    hold: {
      ...{ holder: "run-1", kind: "Pod", token: 41, acquiredMs, expiresMs, ttlMs: 60_000 },
      ...{
        renewedMs: expiresMs - 60_000,
        confirmed: true,
        releasing: false,
        expired: false,
        unreachable: false,
      },
    },
  });
  const lost = held({ expired: true, unreachable: true, revoked: "Forced", releasing: true });
  expect(rowOf({ lease: lost })).toMatchObject({
    phase: "Expired",
    hold: { expired: true, unreachable: true, revoked: "Forced", releasing: true },
  });
});

test("those who wait, in the queue's order: by priority, then by age; whoever has the hold does not wait", () => {
  const requests = [
    waiter("late", { spec: { requestedAtMs: NOW_MS - 1_000 } }),
    waiter("early"),
    waiter("urgent", { spec: { priority: 7, requestedAtMs: NOW_MS } }),
    waiter("denied", { status: { phase: "Denied" } }),
    waiter("going", { terminating: true }),
    { ...waiter("holder"), uid: "request-1" },
  ];
  const row = rowOf({ lease: held({}, { priority: 2 }), requests });
  expect(row.waiting).toBe(3);
  expect(row.waiters).toMatchObject([
    { place: 1, holder: "urgent", kind: "LeaseRequest", priority: 7, sinceMs: NOW_MS, turn: undefined },
    { place: 2, holder: "early", priority: 2, sinceMs: NOW_MS - 5_000 },
    { place: 3, holder: "late" },
  ]);
});

test("of many who wait the first are named, each with its turn, which comes later the farther its place", () => {
  const lease = aLease({ ...held().status, holdSeconds: [60, 50, 70, 65, 55, 60] });
  const requests = Array.from({ length: 30 }, (_, index) =>
    waiter(`w${index}`, { spec: { requestedAtMs: NOW_MS - 100_000 + index } }),
  );
  const { waiting, waiters } = rowOf({ lease, requests });
  expect([waiting, waiters.length]).toEqual([30, MOST_WAITERS]);
  const turns = waiters.map(({ turn }) => turn?.latestMs ?? Number.NaN);
  expect(turns).toEqual(turns.toSorted((a, b) => a - b));
  expect(waiters[0]?.turn?.earliestMs).toBeGreaterThan(30_000);
  expect(waiters[0]?.turn?.latestMs).toBeLessThan(90_000);
});

test("where requests may not be seen, the klease says how many wait", () => {
  const lease = aLease({ waiters: 4 });
  expect(rowOf({ lease, requests: undefined })).toMatchObject({ waiting: 4, waiters: [] });
});

test("conditions say since when they are so", () => {
  const condition = { type: "Held", status: "True", reason: "R", message: "M", lastTransitionMs: 7 } as const;
  expect(rowOf({ lease: aLease({ conditions: [condition] }) }).conditions).toEqual([
    { type: "Held", status: "True", reason: "R", message: "M", sinceMs: 7 },
  ]);
});

const CLIENT = { kind: "LeaseRequest", uid: "request-1", name: "ci" } as const;

test.each([
  { title: "was renewed", hold: { renewals: 1 }, renews: true },
  { title: "was not renewed yet, as that of a pod without renewals", hold: { renewals: 0 }, renews: false },
  { title: "has expired without one", hold: { renewals: 0, expired: true }, renews: true },
  { title: "is a client's", hold: { renewals: 0, ref: CLIENT }, renews: true },
  {
    title: "cannot be renewed",
    hold: { renewals: 0, expired: true },
    spec: { renewable: false },
    renews: false,
  },
])("renewals are expected of a hold that $title: $renews", ({ hold, spec, renews }) => {
  expect(rowOf({ lease: held(hold, spec) }).hold).toMatchObject({ renews });
});
