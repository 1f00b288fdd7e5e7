import { expect, test } from "vitest";
import { type Axis, PAST_SHARE, ticksOf } from "../../../../src/cli/dashboard/page/axis.ts";
import { layOut } from "../../../../src/cli/dashboard/page/layout.ts";
import type { LeaseRow } from "../../../../src/cli/dashboard/wire.ts";
import { aPastBar, aPresentHold, aRow, aWaiter, NOW_MS } from "./rows.ts";

/** One pixel for each second: ten minutes of the past. */
const AXIS: Axis = { nowMs: NOW_MS, spanMs: 600_000, widthPx: 600 / PAST_SHARE };
const TIMES = { nowMs: NOW_MS, seenMs: NOW_MS };
const shapesOf = (change: Partial<LeaseRow>, times = TIMES) =>
  layOut({ lease: aRow(change), atMs: 0 }, AXIS, times);

test("holds stand where they were, from left to right, and the present one begins where it was granted", () => {
  const past = [aPastBar(2, 90, 65), aPastBar(1, 300, 100)];
  const { bars, expiryX } = shapesOf({ hold: aPresentHold({ token: 3 }), past });
  expect(bars).toMatchObject([
    { kind: "past", id: "t1", x: -300, width: 200, idleMs: undefined },
    { kind: "past", id: "t2", x: -90, width: 25, idleMs: 10_000 },
    { kind: "present", id: "t3", x: -60, idleMs: 5_000, silentX: undefined },
  ]);
  expect(expiryX).toBeCloseTo(59);
});

test("a hold that ended before the left edge is not drawn, and one that began before it begins there", () => {
  const past = [aPastBar(2, 700, 500), aPastBar(1, 800, 701)];
  const { bars } = shapesOf({ past });
  expect(bars).toMatchObject([{ id: "t2", x: -604, width: 104 }]);
});

test("holds too short to be told from each other make one bar, whose latest one is its face", () => {
  const past = [aPastBar(4, 100, 50), aPastBar(3, 198, 197), aPastBar(2, 200, 199), aPastBar(1, 202, 201)];
  const { bars } = shapesOf({ past });
  expect(bars).toMatchObject([
    { id: "t3", x: -202, width: 8, holds: [{ token: 3 }, { token: 2 }, { token: 1 }] },
    { id: "t4", x: -100, width: 50 },
  ]);
});

test.each([
  { title: "heard in time", hold: { renewedMs: NOW_MS - 29_000 }, silentX: undefined },
  { title: "a renewal late", hold: { renewedMs: NOW_MS - 31_000 }, silentX: -31 },
  { title: "never renewed", hold: { renewedMs: NOW_MS - 55_000, renews: false }, silentX: undefined },
  { title: "expired", hold: { renewedMs: NOW_MS - 10_000, expired: true }, silentX: -10 },
])("of a hold that is $title, that part is silent: $silentX", ({ hold, silentX }) => {
  expect(shapesOf({ hold: aPresentHold(hold) }).bars).toMatchObject([{ silentX }]);
});

test("turns are drawn for the first places, from when they were told, and never before now", () => {
  const waiters = [
    aWaiter(1, { turn: { earliestMs: 5_000, latestMs: 50_000 } }),
    aWaiter(2, { turn: { earliestMs: 60_000, latestMs: undefined } }),
    aWaiter(3),
    aWaiter(4, { turn: { earliestMs: 70_000, latestMs: 80_000 } }),
  ];
  const { turns } = shapesOf({ waiting: 4, waiters }, { nowMs: NOW_MS, seenMs: NOW_MS - 20_000 });
  expect(turns).toEqual([
    { place: 1, x: 0, width: 30 },
    { place: 2, x: 40, width: undefined },
  ]);
});

test("ticks stand at round times, far enough from each other, and leave room for the word now", () => {
  const ticks = ticksOf(AXIS);
  expect(ticks.map(({ atMs }) => (NOW_MS - atMs) / 60_000)).toEqual([10, 8, 6, 4, 2, 0, -2]);
  expect(ticks.map(({ x }) => Math.round(x))).toEqual([-600, -480, -360, -240, -120, 0, 120]);
  expect(ticks.map(({ label }) => label !== "")).toEqual([true, true, true, true, true, false, true]);
});
