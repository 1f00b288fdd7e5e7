import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  describeTurn,
  describeTurns,
  FARTHEST_PLACE,
  forecastQueue,
  forecastWait,
} from "../../../src/lease/forecast.ts";
import { aHold, aLease, NOW_MS } from "./samples.ts";

const STEADY = [600, 610, 590, 605, 595, 600, 602, 598];

function widthAt20(durations: number[]): number {
  const { earliest, latest } = forecastWait({ durations, heldFor: 0 }, 20) ?? {};
  return (latest ?? Number.NaN) - (earliest ?? Number.NaN);
}

describe("a forecast", () => {
  test("is unknown under five holds", () => {
    expect(forecastWait({ durations: [60, 60, 60, 60], heldFor: 1 }, 1)).toBeUndefined();
    expect(forecastWait({ durations: [60, 60, 60, 60, 60], heldFor: 1 }, 1)).toBeDefined();
  });

  test("of the first place is what is left of the present hold", () => {
    const range = forecastWait({ durations: STEADY, heldFor: 300 }, 1);
    expect(range?.earliest).toBeGreaterThan(280);
    expect(range?.latest).toBeLessThan(320);
  });

  test("adds one hold for each place, or begins at once where nobody holds", () => {
    const range = forecastWait({ durations: STEADY, heldFor: undefined }, 4);
    expect(range?.earliest).toBeGreaterThan(3 * 585);
    expect(range?.latest).toBeLessThan(3 * 615);
    expect(forecastWait({ durations: STEADY, heldFor: undefined }, 1)).toEqual({ earliest: 0, latest: 0 });
  });

  test("adds the interval to each handover, and what is left of it where the Lease rests", () => {
    const past = { durations: STEADY, heldFor: 300, interval: 60 };
    const [first, second] = forecastQueue(past, 2);
    expect(first?.earliest).toBeGreaterThan(340);
    expect(first?.latest).toBeLessThan(380);
    expect(second?.earliest).toBeGreaterThan(340 + 640);
    expect(second?.latest).toBeLessThan(380 + 680);
    const resting = forecastQueue({ durations: STEADY, heldFor: undefined, restFor: 45, interval: 60 }, 2);
    expect(resting[0]).toEqual({ earliest: 45, latest: 45 });
    expect(resting[1]?.earliest).toBeGreaterThan(45 + 640);
    const lease = aLease({ holdSeconds: STEADY, lastEndedMs: NOW_MS - 15_000 }, { minIntervalMs: 60_000 });
    expect(describeTurn(lease, 1, NOW_MS)).toBe("in 45s");
  });

  test("has no end where the present hold has lasted longer than nearly all before it", () => {
    expect(forecastWait({ durations: STEADY, heldFor: 7_200 }, 1)?.latest).toBeUndefined();
    expect(forecastWait({ durations: STEADY, heldFor: 7_200 }, 3)?.latest).toBeUndefined();
  });

  test("follows a Lease whose holds have become slower: the last ones count most", () => {
    const slower = [...Array(12).fill(900), ...Array(52).fill(60)];
    expect(forecastWait({ durations: slower, heldFor: 0 }, 2)?.latest).toBeGreaterThan(1_500);
  });

  test("supposes that holds go on becoming slower, or become faster again", () => {
    const slower = Array.from({ length: 64 }, (_, ago) => 100 / 1.01 ** ago);
    const range = forecastWait({ durations: slower, heldFor: 0 }, 20);
    const sum = (change: number) =>
      Array.from({ length: 20 }, (_, hold) => 100 * change ** hold).reduce((a, b) => a + b);
    expect(range?.latest).toBeGreaterThan(sum(1.01));
    expect(range?.earliest).toBeLessThan(sum(1 / 1.01));
  });

  test("is wider far behind where each hold is like the one before than where the same ones come in any order", () => {
    const alike = Array.from({ length: 64 }, (_, ago) => 300 + 200 * Math.sin(ago / 10));
    const inAnyOrder = alike.map((_, index) => alike[(index * 37) % 64] ?? 0);
    expect(widthAt20(alike)).toBeGreaterThan(2 * widthAt20(inAnyOrder));
  });

  test("is wider far behind where few holds are known", () => {
    const known = (length: number) => Array.from({ length }, (_, index) => 300 + 20 * ((index * 5) % 8));
    expect(widthAt20(known(8))).toBeGreaterThan(1.2 * widthAt20(known(64)));
  });

  test("never comes before now, never ends before it begins, and never comes sooner farther behind", () => {
    const past = fc.record({
      durations: fc.array(fc.nat({ max: 1_000_000 }), { minLength: 5, maxLength: 64 }),
      heldFor: fc.option(fc.nat({ max: 2_000_000 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(past, (known) => {
        let before = 0;
        for (const { earliest, latest = Number.POSITIVE_INFINITY } of forecastQueue(known, 5)) {
          expect(earliest).toBeGreaterThanOrEqual(before);
          expect(latest).toBeGreaterThanOrEqual(earliest);
          before = earliest;
        }
      }),
      { numRuns: 200 },
    );
  });

  test("is the same at every look, alone and in a queue", () => {
    const past = { durations: STEADY, heldFor: 100 };
    expect(forecastQueue(past, 3).map((_, index) => forecastWait(past, index + 1))).toEqual(
      forecastQueue(past, 3),
    );
  });

  test("ends at a place beyond which it would only cost", () => {
    const past = { durations: STEADY, heldFor: 100 };
    expect(forecastQueue(past, FARTHEST_PLACE + 5)).toHaveLength(FARTHEST_PLACE);
    expect(forecastWait(past, FARTHEST_PLACE + 1)).toBeUndefined();
  });
});

test("a turn in words", () => {
  const hold = aHold({ acquiredMs: NOW_MS - 300_000 });
  const held = (holdSeconds: number[], spec = {}) => aLease({ hold, holdSeconds }, spec);
  expect(describeTurn(held([]), 1, NOW_MS)).toBeUndefined();
  expect(describeTurn(held([60, 900, 330, 1_200, 400, 700]), 1, NOW_MS)).toMatch(/^in \d+[sm] to \d+m$/);
  expect(describeTurn(held(STEADY), 1, NOW_MS + 3_600_000)).toMatch(/^in \S+ or more$/);
  expect(describeTurn(aLease({ holdSeconds: STEADY }), 1, NOW_MS)).toBe("in 0s");
  expect(describeTurns(held([]), 2, NOW_MS)).toEqual([]);
  const paused = held(STEADY, { paused: true });
  expect([describeTurn(paused, 1, NOW_MS), ...describeTurns(paused, 2, NOW_MS)]).toEqual([undefined]);
});
