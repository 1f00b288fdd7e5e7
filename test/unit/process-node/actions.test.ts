import { describe, expect, test } from "vitest";
import { nextActions } from "../../cluster/process-node/actions.ts";
import type { Pod } from "../../cluster/process-node/pod.ts";
import type { PodRuns } from "../../cluster/process-node/runs.ts";
import { samplePod, sampleRuns } from "./samples.ts";

/** The names of the containers to start, or `kill`. */
function next(pod: Pod, runs: PodRuns): string[] | "kill" {
  const { killPod, start } = nextActions(pod, runs);
  return killPod ? "kill" : start.map(({ name }) => name);
}

describe("the order of the init containers", () => {
  const pod = samplePod();
  test.each([
    ["the first one at the beginning", {}, ["gate"]],
    ["nothing while the first one runs", { gate: "running" }, []],
    ["the sidecar after the first one", { gate: 0 }, ["keeper"]],
    ["the next one as soon as the sidecar runs", { gate: 0, keeper: "running" }, ["last"]],
    ["nothing while the last one runs", { gate: 0, keeper: "running", last: "running" }, []],
    ["main at the end", { gate: 0, keeper: "running", last: 0 }, ["main"]],
    ["a sidecar again that has ended meanwhile", { gate: 0, keeper: 1, last: "running" }, ["keeper"]],
    ["only the sidecar if it ended before the next one began", { gate: 0, keeper: 1 }, ["keeper"]],
  ] as const)("starts %s", (_, standings, expected) => {
    expect(next(pod, sampleRuns(standings))).toEqual(expected);
  });

  test("a failed init container ends a pod with restartPolicy Never, and restarts in any other pod", () => {
    const runs = sampleRuns({ gate: 69 });
    expect(next(pod, runs)).toBe("kill");
    expect(next(samplePod({ restartPolicy: "OnFailure" }), runs)).toEqual(["gate"]);
    expect(next(samplePod({ restartPolicy: "Always" }), runs)).toEqual(["gate"]);
  });
});

describe("the main containers", () => {
  const past = { gate: 0, keeper: "running", last: 0 } as const;
  test.each([
    ["Never", 0, "kill"],
    ["Never", 1, "kill"],
    ["OnFailure", 0, "kill"],
    ["OnFailure", 1, ["main"]],
    ["Always", 0, ["main"]],
    ["Always", 1, ["main"]],
  ] as const)("with %s, after exit %d: %j", (restartPolicy, main, expected) => {
    expect(next(samplePod({ restartPolicy }), sampleRuns({ ...past, main }))).toEqual(expected);
  });

  test("the pod goes on while one of them runs, and so does its sidecar", () => {
    const pod = samplePod({}, ["one", "two"]);
    expect(next(pod, sampleRuns({ ...past, one: 0, two: "running" }))).toEqual([]);
    expect(next(pod, sampleRuns({ ...past, keeper: 137, one: 0, two: "running" }))).toEqual(["keeper"]);
    expect(next(pod, sampleRuns({ ...past, one: 0, two: 0 }))).toBe("kill");
  });

  test("sidecars are not started again when nothing is left to run", () => {
    expect(next(samplePod(), sampleRuns({ ...past, keeper: 1, main: 0 }))).toBe("kill");
  });

  test("a completed init container is not run again, even if its run is forgotten", () => {
    expect(next(samplePod(), sampleRuns({ keeper: "running", main: "running" }))).toEqual([]);
  });

  test("a container's own policy and rules come before the pod's", () => {
    const restart = (rule: object) => ({ action: "Restart", exitCodes: rule });
    const pod = (main: object) => samplePod({ containers: [{ name: "main", ...main }] });
    expect(next(pod({ restartPolicy: "OnFailure" }), sampleRuns({ ...past, main: 1 }))).toEqual(["main"]);
    const rules = [restart({ operator: "In", values: [42] })];
    const never = pod({ restartPolicy: "Never", restartPolicyRules: rules });
    expect(next(never, sampleRuns({ ...past, main: 42 }))).toEqual(["main"]);
    expect(next(never, sampleRuns({ ...past, main: 1 }))).toBe("kill");
  });
});
