/** How long a pod has been stopping: by the status, and never longer than this replica knows. */
import { expect, test } from "vitest";
import { createHoldClock } from "../../../src/controller/hold-clock.ts";
import { keyOf, type Lease } from "../../../src/lease/types.ts";
import { systemClock } from "../../../src/shared/clock.ts";
import { aHold, held, NOW_MS } from "../lease/samples.ts";

const POD = { uid: "pod-1" };
const running = held();
const stopping = held({ ref: { ...aHold().ref, stoppingSinceMs: NOW_MS } });

/** A time of day and a monotonic clock that advance separately, since one of them may be wrong. */
function clocks() {
  const at = { nowMs: NOW_MS, monotonicMs: 0 };
  const clock = { ...systemClock(), nowMs: () => at.nowMs, monotonicMs: () => at.monotonicMs };
  const holdClock = createHoldClock(clock);
  return {
    holdClock,
    see: (lease: Lease) => holdClock.observe(lease),
    lasted: (lease: Lease = stopping) => holdClock.stoppingForMs(lease, POD),
    turn(byDateMs: number, monotonicMs = byDateMs) {
      at.nowMs += byDateMs;
      at.monotonicMs += monotonicMs;
    },
  };
}

test("a pod is not stopping before its keeper announced that", () => {
  expect(clocks().lasted(running)).toBeUndefined();
});

test("the time counts from the moment in the status, even for an arbiter that has just begun", () => {
  const { see, lasted, turn, holdClock } = clocks();
  see(running);
  see(stopping);
  turn(20_000);
  holdClock.reset();
  expect(lasted()).toBe(20_000);
});

test("an arbiter that sees the stop late goes by the time of day", () => {
  const { lasted, turn } = clocks();
  turn(20_000, 0);
  expect(lasted()).toBe(20_000);
});

test("a time of day that jumps ahead does not count for an arbiter that saw the stop begin", () => {
  const { see, lasted, turn } = clocks();
  see(running);
  see(stopping);
  turn(7_200_000, 5_000);
  expect(lasted()).toBe(5_000);
});

test("a time of day that is behind only delays the end", () => {
  const { see, lasted, turn } = clocks();
  see(running);
  turn(-7_200_000, 0);
  see(stopping);
  turn(5_000);
  expect(lasted()).toBeLessThan(0);
});

test("the time counts anew for a keeper that runs on and is stopped again", () => {
  const { see, lasted, turn } = clocks();
  const again = held({ ref: { ...aHold().ref, stoppingSinceMs: NOW_MS + 10_000 } });
  see(running);
  see(stopping);
  turn(10_000);
  see(running);
  turn(5_000, 1_000);
  see(again);
  turn(2_000);
  expect(lasted(again)).toBe(2_000);
});

test("the time does not carry over to another hold", () => {
  const { see, lasted, turn, holdClock } = clocks();
  see(stopping);
  const next = held({ token: 42, ref: { ...aHold().ref, stoppingSinceMs: NOW_MS + 1_000 } });
  see(held({ token: 42 }));
  turn(3_000, 1_000);
  see(next);
  turn(500);
  expect(lasted(next)).toBe(500);
  holdClock.forget(keyOf(next));
  expect(lasted(next)).toBe(2_500);
});
