import { expect, test } from "vitest";
import { formatTop, type SortKey, topLease, topObject, topRows } from "../../../src/cli/top-rows.ts";
import { aLease, aRequest, held, NOW_MS } from "../lease/samples.ts";

const request = (lease: string, agoMs: number, change: object = {}) =>
  aRequest({
    name: `${lease}-${agoMs}`,
    spec: { lease, requestedAtMs: NOW_MS - agoMs },
    status: { phase: "Pending" },
    ...change,
  });
const named = (name: string, lease = aLease(), namespace = "ns") => topLease({ ...lease, name, namespace });

const LEASES = [
  named("idle"),
  named("young", held({ acquiredMs: NOW_MS - 1_000, expiresMs: NOW_MS + 60_000 })),
  named("busy", held({ holder: "run-7", acquiredMs: NOW_MS - 600_000, expiresMs: NOW_MS + 40_000 })),
  named("free"),
];
const REQUESTS = [
  request("busy", 30_000),
  request("busy", 20_000),
  request("busy", 10_000),
  request("young", 300_000),
  request("free", 5_000),
  // None of these waits for one of the kleases.
  request("young", 900_000, { status: { phase: "Denied" } }),
  request("young", 800_000, { terminating: true }),
  request("young", 700_000, { uid: "request-1" }),
  request("busy", 700_000, { namespace: "elsewhere" }),
  request("nothing", 700_000),
];

test.each<[SortKey, string[]]>([
  ["wait", ["young", "busy", "free", "idle"]],
  ["waiters", ["busy", "young", "free", "idle"]],
  ["held", ["busy", "young", "free", "idle"]],
])("by %s the order is %j", (key, names) => {
  expect(topRows(LEASES, REQUESTS, key).map(({ name }) => name)).toEqual(names);
});

test("what nobody waits for and nobody holds is ordered by name, in its namespace", () => {
  const rows = topRows([named("b"), named("a", aLease(), "z"), named("a")], [], "wait");
  expect(rows.map(({ namespace, name }) => `${namespace}/${name}`)).toEqual(["ns/a", "ns/b", "z/a"]);
});

test("a line shows holder, waiters and times", () => {
  const rows = topRows(LEASES, REQUESTS, "wait");
  const table = formatTop(rows, { nowMs: NOW_MS, headings: true, sum: true });
  expect(
    table
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {3,}/)),
  ).toEqual([
    ["NAMESPACE", "NAME", "HOLDER", "HELD", "WAITERS", "LONGEST WAIT", "LAST RENEWAL"],
    ["ns", "young", "run-1", "1s", "1", "5m", "0s"],
    ["ns", "busy", "run-7", "10m", "3", "30s", "20s"],
    ["ns", "free", "1", "5s"],
    ["ns", "idle", "0"],
    ["", "5"],
  ]);
  expect(formatTop(rows, { nowMs: NOW_MS, headings: false, sum: false })).toMatch(/^ns +young/);
  expect(topObject(rows[1] ?? { namespace: "", name: "", waiters: 0 })).toEqual({
    ...{ namespace: "ns", name: "busy", holder: "run-7", waiters: 3 },
    ...{ acquired: "2026-01-01T00:00:00.000Z", renewed: "2026-01-01T00:09:40.000Z" },
    waitingSince: "2026-01-01T00:09:30.000Z",
  });
});
