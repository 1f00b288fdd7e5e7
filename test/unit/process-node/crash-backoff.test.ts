import { expect, test } from "vitest";
import { crashBackoff } from "../../cluster/process-node/crash-backoff.ts";

const MINUTE_MS = 60_000;

test("the back-off is 0 the first time, then 10 s, doubled up to 5 minutes", () => {
  const backoff = crashBackoff();
  let nowMs = 0;
  const delays = Array.from({ length: 8 }, () => {
    const delayMs = backoff.current("main", nowMs, nowMs);
    const endedAtMs = nowMs;
    nowMs += delayMs;
    expect(backoff.current("main", endedAtMs, nowMs)).toBe(0);
    backoff.started("main", endedAtMs, nowMs);
    return delayMs / 1000;
  });
  expect(delays).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
});

test("the back-off counts from the end of the last run", () => {
  const backoff = crashBackoff();
  backoff.started("main", 0, 0);
  expect(backoff.current("main", 9_000, 18_999)).toBe(10_000);
  expect(backoff.current("main", 9_000, 19_000)).toBe(0);
});

test("the back-off of each container is forgotten after ten minutes without an end", () => {
  const backoff = crashBackoff();
  backoff.started("main", 0, 0);
  backoff.started("main", 10_000, 10_000);
  const endedAtMs = 11 * MINUTE_MS;
  expect(backoff.current("main", endedAtMs, endedAtMs)).toBe(0);
  backoff.started("main", endedAtMs, endedAtMs);
  expect(backoff.current("main", endedAtMs, endedAtMs)).toBe(10_000);
  expect(backoff.current("other", endedAtMs, endedAtMs)).toBe(0);
});
