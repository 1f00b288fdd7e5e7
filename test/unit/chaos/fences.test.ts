import { expect, test } from "vitest";
import type { EndReason } from "../../../src/lease/types.ts";
import { checkHistory } from "../../chaos/check.ts";
import { broken, change, historyOf, TURN } from "./samples.ts";

/** A history whose second turn is the one that was to be stopped. */
const long = historyOf([TURN, { ...TURN, mains: [20_000] }, TURN]);
const [, run] = long.runs;
if (!run) throw new Error("there is no run");
const { toMs: endMs, by: pod, lease } = run;
const lost = (reason: EndReason) =>
  change(long, "sightings", (each) => (each.token === 1_001 && each.reason ? { ...each, reason } : each));
const stopped = { ...long, fences: [{ lease, pod, atMs: endMs - 1_500 }] };
const pods = [pod];
const fault = (kind: string, lastsMs: number, aimedAt?: readonly string[]) => {
  const fromMs = endMs - 12_000;
  return { kind, fromMs, toMs: fromMs + lastsMs, ...(aimedAt && { pods: aimedAt }) };
};

test.for(["Fenced", "Expired"] as const)(
  "a holder that could not renew is found by the end of its hold: %s",
  (reason) => {
    const { violations, losses } = checkHistory(lost(reason));
    expect(losses).toBe(1);
    expect(violations.map(({ rule }) => rule)).toEqual(["fence"]);
    expect(violations[0]?.sentence).toContain(`the hold of job-1-abcde (token 1001) ended by ${reason}`);
  },
);

test("a holder that could not renew is found by its keeper's exit code, and counted once", () => {
  expect(broken(stopped)).toEqual(["fence"]);
  expect(checkHistory({ ...lost("Fenced"), fences: stopped.fences }).losses).toBe(1);
});

test.for([
  fault("cut of a replica from the API server", 32_000, ["konductor-a"]),
  fault("stall of a replica's watch", 60_000, ["konductor-a"]),
  fault("pause of the arbiter", 32_000, ["konductor-a"]),
  fault("kill -9 of a replica", 0, ["konductor-a"]),
  fault("partition of a holder from konductor", 12_000, ["job-2-abcde"]),
  fault("pause of a keeper", 1_000, pods),
  fault("kill -9 of kube-apiserver", 1_500),
  { ...fault("kill -9 of kube-apiserver", 30_000), fromMs: 0, toMs: 2_000 },
  fault("kill -9 of the kubelet", 12_000),
])("its stop is not explained by a short $kind, or one elsewhere", (done) => {
  expect(broken({ ...lost("Fenced"), faults: [done] })).toEqual(["fence"]);
  expect(broken({ ...stopped, faults: [done] })).toEqual(["fence"]);
});

test.for([
  [fault("partition of a holder from konductor", 12_000, pods)],
  [fault("pause of a keeper under AfterTermination", 20_000, pods)],
  [fault("kill -9 of a keeper", 0, pods)],
  [fault("kill -9 of etcd", 6_000)],
  [fault("no replica at work", 6_000)],
  [fault("short of CPU", 6_000)],
  // Only together they last long enough.
  [fault("kill -9 of kube-apiserver", 1_000), { ...fault("no replica at work", 0), toMs: endMs - 9_000 }],
])("its stop is explained by faults that outlast its ttl: %j", (faults) => {
  expect(broken({ ...lost("Fenced"), faults })).toEqual([]);
  expect(broken({ ...stopped, faults })).toEqual([]);
});

test.for(["kill -9 of containerd", "pause of the kubelet"])(
  "the stop of a holder that could not start after its grant is explained by %s",
  (kind) => {
    const faults = [fault(kind, 9_000)];
    const late = { ...lost("Fenced"), faults };
    expect(broken(late)).toEqual(["fence"]);
    const fromMs = endMs - 2_500;
    expect(
      broken(change(late, "runs", (each) => (each.token === 1_001 ? { ...each, fromMs } : each))),
    ).toEqual([]);
  },
);

test("a holder may be late by the kubelet's back-off after a failed start", () => {
  const faults = [fault("kill -9 of containerd", 1_400)];
  const runsFrom = (fromMs: number) =>
    change({ ...lost("Fenced"), faults }, "runs", (each) =>
      each.token === 1_001 ? { ...each, fromMs } : each,
    );
  expect(broken(runsFrom(endMs - 2_500))).toEqual([]);
  expect(broken(runsFrom(endMs - 9_000))).toEqual(["fence"]);
});

test("a holder whose main ended by itself, unnoticed, was not stopped", () => {
  const renewed = (expiresMs: number) =>
    change(lost("Expired"), "sightings", (each) => (each.reason ? each : { ...each, expiresMs }));
  expect(checkHistory(renewed(endMs + 5_001)).losses).toBe(0);
  expect(checkHistory(renewed(endMs + 4_999)).losses).toBe(1);
});

test("a holder whose main had ended or never ran was not stopped", () => {
  const refused = { ...long, fences: [{ lease, pod, atMs: endMs - 900 }] };
  expect(broken(refused)).toEqual([]);
  const never = change(lost("Expired"), "runs", (run) => (run.token === 1_001 ? undefined : run));
  expect(checkHistory(never).losses).toBe(0);
});
