import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "../../../src/lease/duration.ts";

// The cases of parseDurationTests and parseDurationErrorTests in Go's time package, in milliseconds.
const VALID: [string, number][] = [
  ["0", 0],
  ["5s", 5_000],
  ["30s", 30_000],
  ["1478s", 1_478_000],
  ["-5s", -5_000],
  ["+5s", 5_000],
  ["-0", 0],
  ["+0", 0],
  ["5.0s", 5_000],
  ["5.6s", 5_600],
  ["5.s", 5_000],
  [".5s", 500],
  ["1.0s", 1_000],
  ["1.00s", 1_000],
  ["1.004s", 1_004],
  ["1.0040s", 1_004],
  ["100.00100s", 100_001],
  ["10ns", 1e-5],
  ["11us", 0.011],
  ["12\u00b5s", 0.012],
  ["12\u03bcs", 0.012],
  ["13ms", 13],
  ["14s", 14_000],
  ["15m", 900_000],
  ["16h", 57_600_000],
  ["3h30m", 12_600_000],
  ["10.5s4m", 250_500],
  ["-2m3.4s", -123_400],
  ["1h2m3s4ms5us6ns", 3_723_004.005006],
  ["39h9m14.425s", 140_954_425],
  ["52763797000ns", 52_763.797],
  ["0.3333333333333333333h", 1_200_000],
  ["9007199254740993ns", 9_007_199_254.740993],
  ["9223372036854775807ns", 9_223_372_036_854.775],
  ["-9223372036854775808ns", -9_223_372_036_854.775],
  ["0.9223372036854775807h", 3_320_413.933267],
  ["0.100000000000000000000h", 360_000],
  ["0.830103483285477580700h", 2_988_372.539827],
];

const INVALID = [
  "", "3", "-", "s", ".", "-.", ".s", "+.s", "1d", "\u0085\u0085", "10", "1.5", "-1", "1h 30m", " 1h", "1h ", "1H", "1e3s", "P1D",
  "9223372036854775808ns", "9223372036854775.808us", "9223372036854ms775us808ns", "-9223372036854775809ns", "--1s", "1h-1m",
]; // biome-ignore format: a list

describe("parseDuration", () => {
  it.each(VALID)("reads %j as Go does: %d ms", (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 5);
  });

  it.each(INVALID)("refuses %j", (text) => {
    expect(() => parseDuration(text)).toThrow(`${JSON.stringify(text)} is not a Go duration`);
  });
});

describe("formatDuration", () => {
  it.each([
    [0, "0s"],
    [600_000, "10m"],
    [5_400_000, "1h30m"],
    [15_000, "15s"],
    [1_500, "1.5s"],
    [300, "300ms"],
    [0.25, "250\u00b5s"],
    [0.000_7, "700ns"],
    [-61_000, "-1m1s"],
    [86_400_000, "24h"],
    [3_600_001, "1h0.001s"],
  ])("writes %d ms as %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it("writes what parseDuration can read back", () => {
    const anyMs = fc.integer({ min: -(2 ** 40), max: 2 ** 40 });
    fc.assert(fc.property(anyMs, (ms) => parseDuration(formatDuration(ms)) === ms));
  });
});
