/** Clients that may run under a hold that a deleted klease recorded. Holds of pods are tested in test/sim and in integration tests. */
import { expect, test } from "vitest";
import { createLapseClock } from "../../../src/controller/lapse-clock.ts";
import { countUnrecorded } from "../../../src/controller/unrecorded-holders.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aLease, aRequest } from "../lease/samples.ts";
import { noPods } from "./no-pods.ts";

const granted = aRequest({ name: "a", status: { phase: "Granted", token: 41, holdTtlMs: 30_000 } });

function counting() {
  const clock = turnedClock();
  const lapseClock = createLapseClock(clock);
  const evidenceOf = () => ({ is: "unknown" }) as const;
  const count = (requests: Parameters<typeof countUnrecorded>[1], lease = aLease()) =>
    countUnrecorded(lease, requests, { caches: { pods: noPods }, evidenceOf, lapseClock });
  return { clock, count };
}

test("a granted client counts until its ttl has passed once more", async () => {
  const { clock, count } = counting();
  expect(count([granted])).toBe(1);
  await clock.turn(31_999);
  expect(count([granted])).toBe(1);
  await clock.turn(1);
  expect(count([granted])).toBe(0);
});

test("each client counts once", () => {
  const { count } = counting();
  expect(count([granted, { ...granted, name: "b", uid: "uid-of-b" }])).toBe(2);
});

test.each([
  ["a client that releases", [{ ...granted, terminating: true }]],
  ["a client that waits", [aRequest()]],
  ["a client whose hold is known to be over", [aRequest({ status: { phase: "Expired", token: 41 } })]],
  ["an empty list", []],
])("%s does not count", (_, requests) => {
  expect(counting().count(requests)).toBe(0);
});

test("no client counts once the klease records a grant of its own", () => {
  expect(counting().count([granted], aLease({ lastToken: 41 }))).toBe(0);
});
