/** Which holds a row shows as over: those of the status, and older ones of events that fit. */
import { expect, test } from "vitest";
import { MOST_BARS, pastBars } from "../../../../src/cli/dashboard/past-bars.ts";
import type { PastHold } from "../../../../src/lease/types.ts";

/** The hold with this token lasts from token * 1 min for 50 s. */
const past = (token: number, change: Partial<PastHold> = {}): PastHold => ({
  holder: `run-${token}`,
  token,
  acquiredMs: token * 60_000,
  endedMs: token * 60_000 + 50_000,
  reason: "Released",
  ...change,
});
const tokens = (history: PastHold[], ended: PastHold[]) => pastBars(history, ended).map(({ token }) => token);

test("older holds of events follow those of the status, the latest first, each once", () => {
  expect(tokens([past(9), past(8)], [past(5), past(7), past(8), past(7), past(6), past(9)])).toEqual([
    9, 8, 7, 6, 5,
  ]);
});

test("of a hold that both tell of the status is right", () => {
  const bars = pastBars(
    [past(9, { holder: "true" })],
    [past(9, { holder: "told", reason: "Fenced" }), past(8)],
  );
  expect(bars.map(({ holder }) => holder)).toEqual(["true", "run-8"]);
});

test.each<[string, PastHold]>([
  ["a later hold than the status has", past(10)],
  ["a hold between two of the status", past(8)],
  ["a later token with an early end", past(12, { acquiredMs: 0, endedMs: 50_000 })],
  ["a token between two of the status with an early end", past(8, { acquiredMs: 0, endedMs: 50_000 })],
  ["an older token with a later end", past(3, { endedMs: 9 * 60_000 + 10_000 })],
])("an event is not believed that tells of %s", (_, told) => {
  expect(tokens([past(9), past(7)], [told])).toEqual([9, 7]);
});

test("an event that lies may hide true ones, but no two bars overlap", () => {
  expect(tokens([past(9)], [past(8, { acquiredMs: 6.5 * 60_000 }), past(7), past(6), past(5)])).toEqual([
    9, 8, 5,
  ]);
});

test("two replicas' clocks may differ a little", () => {
  expect(tokens([past(9)], [past(8, { endedMs: 9 * 60_000 + 900 })])).toEqual([9, 8]);
});

test("of a klease that has had no hold no event is believed", () => {
  expect(tokens([], [past(3)])).toEqual([]);
});

test("there are no more than a hundred", () => {
  const ended = Array.from({ length: 500 }, (_, index) => past(index + 1));
  expect(pastBars([past(501)], ended)).toHaveLength(MOST_BARS);
});

test("who ended it is told", () => {
  expect(pastBars([past(2, { reason: "Forced", by: "alice" })], [past(1)])).toMatchObject([
    { reason: "Forced", by: "alice" },
    { reason: "Released", by: undefined },
  ]);
});
