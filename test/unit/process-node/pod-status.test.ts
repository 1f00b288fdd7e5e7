import { describe, expect, test } from "vitest";
import type { Phase } from "../../cluster/process-node/pod.ts";
import { type PodSituation, podStatus } from "../../cluster/process-node/pod-status.ts";
import { samplePod, sampleRuns } from "./samples.ts";

function situation(
  standings: Parameters<typeof sampleRuns>[0],
  rest: Partial<PodSituation> = {},
): PodSituation {
  return {
    runs: sampleRuns(standings),
    waiting: new Map(),
    stage: "syncing",
    sandboxReady: true,
    hostIp: "127.0.0.1",
    podIp: "127.64.0.1",
    startedAtMs: 0,
    nowMs: 5_000,
    ...rest,
  };
}

const past = { gate: 0, keeper: "running", last: 0 } as const;
const running = { status: { phase: "Running" } };

describe("the phase", () => {
  const cases: readonly [string, Parameters<typeof sampleRuns>[0], string, Phase, Phase][] = [
    ["before anything ran", {}, "Never", "Pending", "Failed"],
    ["while an init container runs", { gate: "running" }, "Never", "Pending", "Failed"],
    ["before main is started", past, "Never", "Pending", "Failed"],
    ["while main runs", { ...past, main: "running" }, "Never", "Running", "Running"],
    ["while only the sidecar runs on", { ...past, main: 0 }, "Never", "Running", "Running"],
    ["with all ended well", { ...past, keeper: 0, main: 0 }, "Never", "Running", "Succeeded"],
    ["with a failed sidecar", { ...past, keeper: 1, main: 0 }, "Never", "Running", "Succeeded"],
    ["with a failed main", { ...past, keeper: 0, main: 1 }, "Never", "Running", "Failed"],
    ["with a main to be restarted", { ...past, keeper: 0, main: 1 }, "OnFailure", "Running", "Failed"],
    ["with a main that Always runs", { ...past, keeper: 0, main: 0 }, "Always", "Running", "Succeeded"],
  ];
  test.each(cases)(
    "%s (%j, %s): %s, and %s once the pod is stopped",
    (_, standings, policy, now, stopped) => {
      const pod = samplePod(
        { restartPolicy: policy },
        ["main"],
        standings["main"] === undefined ? {} : running,
      );
      expect(podStatus(pod, situation(standings)).phase).toBe(now);
      if (stopped !== "Running") {
        expect(podStatus(pod, situation(standings, { stage: "terminated" })).phase).toBe(stopped);
      }
    },
  );

  test("stays as others wrote it once it is terminal", () => {
    const pod = samplePod({}, ["main"], { status: { phase: "Failed" } });
    expect(podStatus(pod, situation({ ...past, keeper: 0, main: 0 }, { stage: "terminated" })).phase).toBe(
      "Failed",
    );
  });

  test("the node's own reason is shown only at the end", () => {
    const failure = { reason: "DeadlineExceeded", message: "too long" };
    const pod = samplePod({}, ["main"], running);
    expect(podStatus(pod, situation({ ...past, main: "running" }, { failure }))).not.toHaveProperty("reason");
    const end = situation({ ...past, keeper: 0, main: 0 }, { failure, stage: "terminated" });
    expect(podStatus(pod, end)).toMatchObject({ phase: "Failed", ...failure });
  });
});

describe("the containers", () => {
  test("wait for earlier containers", () => {
    const { initContainerStatuses, containerStatuses } = podStatus(
      samplePod(),
      situation({ gate: "running" }),
    );
    expect(initContainerStatuses).toMatchObject([
      {
        name: "gate",
        started: true,
        ready: false,
        state: { running: { startedAt: "1970-01-01T00:00:01Z" } },
      },
      { name: "keeper", started: false, state: { waiting: { reason: "PodInitializing" } } },
      { name: "last", started: false, state: { waiting: { reason: "PodInitializing" } } },
    ]);
    expect(containerStatuses).toMatchObject([
      { name: "main", state: { waiting: { reason: "PodInitializing" } } },
    ]);
    const alone = podStatus(samplePod({ initContainers: [] }), situation({}));
    expect(alone.containerStatuses).toMatchObject([{ state: { waiting: { reason: "ContainerCreating" } } }]);
  });

  test("show the previous run and their back-off", () => {
    const pod = samplePod({ restartPolicy: "OnFailure" });
    const again = podStatus(pod, situation({ ...past, main: [3, "running"] }));
    expect(again.containerStatuses).toMatchObject([
      {
        restartCount: 1,
        lastState: { terminated: { exitCode: 3, reason: "Error" } },
        state: { running: {} },
      },
    ]);
    const waiting = new Map([["main", { reason: "CrashLoopBackOff", message: "back-off 10s" }]]);
    const held = podStatus(pod, situation({ ...past, main: [3, 4] }, { waiting }));
    expect(held.containerStatuses).toMatchObject([
      { lastState: { terminated: { exitCode: 4 } }, state: { waiting: { reason: "CrashLoopBackOff" } } },
    ]);
  });

  test("in back-off when the pod ended are shown as unknown, unless the pod was deleted", () => {
    const waiting = new Map([["keeper", { reason: "CrashLoopBackOff", message: "back-off 10s" }]]);
    const end = situation({ ...past, keeper: 1, main: 0 }, { waiting, stage: "terminated" });
    const keeper = (deletionTimestamp?: string) => {
      const metadata = { name: "pod", namespace: "ns", uid: "uid-1", deletionTimestamp };
      return podStatus(samplePod({}, ["main"], { metadata }), end).initContainerStatuses?.[1];
    };
    expect(keeper()).toMatchObject({
      state: { terminated: { exitCode: 137, reason: "ContainerStatusUnknown" } },
      lastState: { terminated: { exitCode: 1 } },
    });
    expect(keeper("2020-01-01T00:00:00Z")).toMatchObject({
      state: { terminated: { exitCode: 1 } },
      lastState: {},
    });
  });

  test("that never ran are shown as failed at the end of an initialized pod, and as waiting otherwise", () => {
    const end = (standings: Parameters<typeof sampleRuns>[0]) =>
      podStatus(samplePod(), situation(standings, { stage: "terminated" }));
    expect(end({ gate: 0, keeper: 0, last: 0 }).containerStatuses).toMatchObject([
      { state: { terminated: { exitCode: 137, reason: "ContainerStatusUnknown" } } },
    ]);
    const early = end({ gate: 143 });
    expect(early.containerStatuses).toMatchObject([{ state: { waiting: {} } }]);
    expect(early.initContainerStatuses).toMatchObject([
      { state: { terminated: { exitCode: 143 } } },
      { state: { waiting: {} } },
      { state: { waiting: {} } },
    ]);
  });
});

describe("the conditions", () => {
  const verdicts = (status: ReturnType<typeof podStatus>) =>
    Object.fromEntries(
      status.conditions.map(({ type, status, reason }) => [type, reason ? `${status} ${reason}` : status]),
    );

  test("before, while and after main runs", () => {
    expect(verdicts(podStatus(samplePod(), situation({ gate: "running" })))).toEqual({
      PodReadyToStartContainers: "True",
      Initialized: "False ContainersNotInitialized",
      Ready: "False ContainersNotReady",
      ContainersReady: "False ContainersNotReady",
      PodScheduled: "True",
    });
    expect(verdicts(podStatus(samplePod(), situation({ ...past, main: "running" })))).toEqual({
      PodReadyToStartContainers: "True",
      Initialized: "True",
      Ready: "True",
      ContainersReady: "True",
      PodScheduled: "True",
    });
    const end = situation({ ...past, keeper: 0, main: 0 }, { stage: "terminated", sandboxReady: false });
    expect(verdicts(podStatus(samplePod(), end))).toEqual({
      PodReadyToStartContainers: "False PodSandboxNotReady",
      Initialized: "True PodCompleted",
      Ready: "False PodCompleted",
      ContainersReady: "False PodCompleted",
      PodScheduled: "True",
    });
  });

  test("show the end before the phase does", () => {
    const pod = samplePod({}, ["main"], running);
    const status = podStatus(pod, situation({ ...past, keeper: 0, main: 3 }));
    expect(status.phase).toBe("Running");
    expect(verdicts(status)).toMatchObject({ Ready: "False PodFailed", Initialized: "True" });
  });

  test("name the containers that are missing", () => {
    const { conditions } = podStatus(samplePod(), situation({ gate: 0, keeper: "running", last: "running" }));
    const message = (type: string) => conditions.find((condition) => condition.type === type)?.message;
    expect(message("Initialized")).toBe("containers with incomplete status: [last]");
    expect(message("Ready")).toBe("containers with unready status: [main]");
  });

  test("keep the time of their last change", () => {
    const conditions = [
      { type: "Ready", status: "True", lastTransitionTime: "2020-01-01T00:00:00Z" },
      { type: "Initialized", status: "False", lastTransitionTime: "2020-01-01T00:00:00Z" },
    ];
    const pod = samplePod({}, ["main"], { status: { phase: "Running", conditions } });
    const status = podStatus(pod, situation({ ...past, main: "running" }));
    const changedAt = (type: string) =>
      status.conditions.find((item) => item.type === type)?.lastTransitionTime;
    expect(changedAt("Ready")).toBe("2020-01-01T00:00:00Z");
    expect(changedAt("Initialized")).toBe("1970-01-01T00:00:05Z");
  });
});
