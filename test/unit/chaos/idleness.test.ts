import { expect, test } from "vitest";
import type { History } from "../../chaos/history.ts";
import { longestIdleness } from "../../chaos/idleness.ts";
import { historyOf, LEASE, TURN } from "./samples.ts";

test("idleness lasts from a main's last sign of life to the next grant, and names its waiter", () => {
  const history = historyOf([TURN, { ...TURN, gapMs: 4_000 }, TURN]);
  expect(longestIdleness(history)).toEqual({
    lease: LEASE,
    ms: 4_000 + TURN.releasedAfterMs,
    fromMs: TURN.gapMs + TURN.startsAfterMs + 2_000,
    waiter: "job-1-abcde",
    during: [],
  });
});

test("idleness names the faults that overlap it", () => {
  const history = historyOf([{ ...TURN, releasedAfterMs: 17_000 }, TURN]);
  const faults = [
    { kind: "pause of etcd", fromMs: 3_000, toMs: 9_000 },
    { kind: "pause of etcd", fromMs: 10_000, toMs: 11_000 },
    { kind: "kill -9 of a gate", fromMs: 0, toMs: 100 },
  ];
  expect(longestIdleness({ ...history, faults })?.during).toEqual(["pause of etcd"]);
});

test("time under a dead holder is idle, whatever the klease says", () => {
  const history = historyOf([{ ...TURN, releasedAfterMs: 17_000 }, TURN]);
  expect(longestIdleness(history)?.ms).toBe(17_100);
});

test("time between the runs of a main that restarts in place is not idle", () => {
  const history = historyOf([
    { ...TURN, mains: [100, 100, 100] },
    { ...TURN, gapMs: 0 },
  ]);
  expect(longestIdleness(history)?.ms).toBe(TURN.releasedAfterMs);
});

test("time without waiters is not idle", () => {
  const history = historyOf([TURN, { ...TURN, gapMs: 60_000 }]);
  const came: History = {
    ...history,
    waits: history.waits.map((wait) => ({ ...wait, fromMs: wait.toMs - 50 })),
  };
  expect(longestIdleness(came)?.ms).toBe(50);
  expect(longestIdleness({ ...history, waits: [] })).toBeUndefined();
});

test("a waiter that is never served is named", () => {
  const history = historyOf([TURN]);
  const waits = [...history.waits, { lease: LEASE, holder: "forgotten", fromMs: 0, toMs: 90_000 }];
  expect(longestIdleness({ ...history, waits })).toMatchObject({ waiter: "forgotten", ms: 90_000 - 2_600 });
});
