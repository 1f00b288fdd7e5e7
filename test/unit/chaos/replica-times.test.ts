import { expect, test } from "vitest";
import type { FaultRecord } from "../../chaos/history.ts";
import { timesWithoutReplica } from "../../chaos/replica-times.ts";

const one = { pod: "a", fromMs: 0, toMs: 1_000 };
const other = { pod: "b", fromMs: 100, toMs: 1_000 };
const fault = (kind: string, fromMs: number, toMs: number, pods = ["a"]): FaultRecord => ({
  kind,
  fromMs,
  toMs,
  pods,
});
const CUT = "cut of a replica from the API server";
const KILL = "kill -9 of a replica";

test("a replica is at work while one of two is Ready and not struck", () => {
  expect(timesWithoutReplica([one, other], [fault(CUT, 200, 500)])).toEqual([]);
  expect(timesWithoutReplica([one, { ...one, fromMs: 700, toMs: 900 }], [])).toEqual([]);
});

test("no replica is at work while none is Ready or the only one is struck", () => {
  const again = { ...one, fromMs: 1_300, toMs: 2_000 };
  expect(timesWithoutReplica([one, again], [])).toEqual([{ fromMs: 1_000, toMs: 1_300 }]);
  expect(timesWithoutReplica([one], [fault(CUT, 200, 500)])).toEqual([{ fromMs: 200, toMs: 500 }]);
});

test("a killed replica is at work again in a new container", () => {
  const again = { ...one, fromMs: 1_300, toMs: 2_000 };
  expect(timesWithoutReplica([one, again], [fault(KILL, 600, 601)])).toEqual([{ fromMs: 600, toMs: 1_300 }]);
});

test("a replica with a silent watch is still at work", () => {
  expect(timesWithoutReplica([one], [fault("stall of a replica's watch", 200, 500)])).toEqual([]);
});
