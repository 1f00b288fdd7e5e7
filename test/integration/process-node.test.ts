/** The process node against a real API server: the lifecycle of a pod. The node's sources describe what the kubelet does. */
import { expect, test } from "vitest";
import { JOBS, PODS } from "../../src/kube/resources.ts";
import { waitFor } from "../cluster/wait.ts";
import { isRunning, namespace, shell, status, terminated, useProcessNode } from "./process-node-fixture.ts";

const fixture = useProcessNode("process-node");
const { createPod, podSpec, events, said, expectPod, pidOf, kubectl } = fixture;

test("a Job's pod: init containers in order, the sidecar beside main and stopped after it", async () => {
  const spec = podSpec("ordered", {
    initContainers: [
      shell("first", "say first; sleep 0.2; say first-done"),
      shell("side", `trap 'say side-term; exit 0' TERM; say side; while :; do sleep 0.05; done`, {
        restartPolicy: "Always",
        lifecycle: { preStop: { exec: { command: ["sh", "-c", 'echo side-prestop >> "$EVENTS"'] } } },
      }),
      shell("second", `until grep -q side "$EVENTS"; do sleep 0.02; done; say second`),
    ],
    containers: [shell("main", "say main; sleep 0.3; say main-done")],
  });
  await fixture.kube.create(JOBS, { metadata: { name: "ordered", namespace }, spec: { template: { spec } } });
  await expect
    .poll(() => fixture.kube.get(JOBS, { namespace, name: "ordered" }), { timeout: 20_000 })
    .toMatchObject({ status: { succeeded: 1 } });
  expect(await events("ordered")).toEqual([
    "first",
    "first-done",
    "side",
    "second",
    "main",
    "main-done",
    "side-prestop",
    "side-term",
  ]);
  const { items } = await fixture.kube.list(PODS, { namespace, labelSelector: "job-name=ordered" });
  expect(items).toMatchObject([
    {
      status: {
        phase: "Succeeded",
        initContainerStatuses: ["first", "side", "second"].map((name) =>
          status(name, terminated(0, "Completed")),
        ),
        containerStatuses: [status("main", { restartCount: 0, ready: false, ...terminated(0, "Completed") })],
        conditions: expect.arrayContaining([
          expect.objectContaining({ type: "Initialized", status: "True", reason: "PodCompleted" }),
          expect.objectContaining({ type: "Ready", status: "False", reason: "PodCompleted" }),
        ]),
      },
    },
  ]);
});

test("a running pod is Ready with its address, its sidecar started", async () => {
  await createPod("ready", {
    initContainers: [shell("side", "sleep 100", { restartPolicy: "Always" })],
    containers: [shell("main", "sleep 100")],
  });
  await expectPod("ready", {
    status: {
      phase: "Running",
      podIP: expect.stringMatching(/^127\./),
      initContainerStatuses: [status("side", { ready: true, started: true })],
      containerStatuses: [
        status("main", { ready: true, started: true, state: { running: expect.anything() } }),
      ],
      conditions: expect.arrayContaining([
        expect.objectContaining({ type: "PodReadyToStartContainers", status: "True" }),
        expect.objectContaining({ type: "ContainersReady", status: "True" }),
        expect.objectContaining({ type: "Ready", status: "True" }),
      ]),
    },
  });
});

test("OnFailure restarts main in place until it succeeds", async () => {
  await createPod("retried", {
    restartPolicy: "OnFailure",
    containers: [
      shell("main", `say run; runs=$(grep -c run "$EVENTS"); echo "run $runs"; test "$runs" = 2 || exit 3`),
    ],
  });
  await expectPod("retried", {
    status: {
      phase: "Succeeded",
      containerStatuses: [
        status("main", {
          restartCount: 1,
          lastState: { terminated: expect.objectContaining({ exitCode: 3, reason: "Error" }) },
          ...terminated(0, "Completed"),
        }),
      ],
    },
  });
  expect(await kubectl("logs", "retried", "--previous")).toBe("run 1\n");
  expect(await kubectl("logs", "retried")).toBe("run 2\n");
});

test("a main that keeps failing is restarted at once, then after 10 s", async () => {
  const { resourceVersion } = await fixture.kube.list(PODS, { namespace });
  await createPod("crashing", {
    restartPolicy: "Always",
    containers: [shell("main", "say $(date +%s%3N); exit 1")],
  });
  const seen = await versionsUntil(
    "crashing",
    resourceVersion,
    async () => (await events("crashing")).length === 3,
  );
  const [first = 0, second = 0, third = 0] = (await events("crashing")).map(Number);
  expect(second - first).toBeLessThan(2_000);
  expect(third - second).toBeGreaterThanOrEqual(10_000);
  const waiting = {
    reason: "CrashLoopBackOff",
    message: expect.stringContaining("back-off 10s restarting failed container=main pod=crashing_default("),
  };
  expect(seen).toContainEqual(
    expect.objectContaining({
      status: expect.objectContaining({
        phase: "Running",
        containerStatuses: [status("main", { restartCount: 1, state: { waiting } })],
      }),
    }),
  );
});

test("a failed init container ends a pod with restartPolicy Never before main", async () => {
  await createPod("refused", {
    initContainers: [shell("gate", "exit 69")],
    containers: [shell("main", "say main")],
  });
  await expectPod("refused", {
    status: {
      phase: "Failed",
      initContainerStatuses: [status("gate", terminated(69, "Error"))],
      containerStatuses: [status("main", { state: { waiting: { reason: "PodInitializing" } } })],
    },
  });
  expect(await events("refused")).toEqual([]);
});

test("a missing program is a failed start", async () => {
  await createPod("missing", { containers: [{ name: "main", image: "none", command: ["no-such-program"] }] });
  await expectPod("missing", {
    status: { phase: "Failed", containerStatuses: [status("main", terminated(128, "StartError"))] },
  });
});

test("deletion: preStop at once, a main that ignores TERM killed after its grace period, Failed before it is gone", async () => {
  await createPod("stubborn", {
    initContainers: [
      shell("side", "trap 'say side-term; exit 0' TERM; say side; while :; do sleep 0.05; done", {
        restartPolicy: "Always",
        lifecycle: { preStop: { exec: { command: ["sh", "-c", 'echo side-prestop >> "$EVENTS"'] } } },
      }),
    ],
    containers: [shell("main", "trap 'say main-term' TERM; say main; while :; do sleep 0.05; done")],
  });
  await said("stubborn", "main");
  const { resourceVersion } = await fixture.kube.list(PODS, { namespace });
  const deletedAtMs = performance.now();
  await fixture.kube.delete(PODS, { namespace, name: "stubborn" });
  const last = (await versionsUntil("stubborn", resourceVersion, async () => false)).at(-1);
  expect(performance.now() - deletedAtMs).toBeGreaterThan(2_000);
  expect(last).toMatchObject({
    status: {
      phase: "Failed",
      initContainerStatuses: [status("side", { state: { terminated: expect.anything() } })],
      containerStatuses: [status("main", terminated(137, "Error"))],
    },
  });
  const seen = await events("stubborn");
  expect(seen.indexOf("side-prestop")).toBeLessThan(seen.indexOf("side-term"));
  expect(seen).toContain("main-term");
});

/** All versions of a pod until `enough` holds for one of them; if the pod vanished, the last version is the one in which it did. */
async function versionsUntil(
  name: string,
  resourceVersion: string,
  enough: () => Promise<boolean>,
): Promise<unknown[]> {
  const seen: unknown[] = [];
  const options = { namespace, fieldSelector: `metadata.name=${name}`, resourceVersion };
  for await (const { type, object } of fixture.kube.watch(PODS, options, AbortSignal.timeout(20_000))) {
    seen.push(object);
    if (type === "DELETED" || (await enough())) break;
  }
  return seen;
}

test("a force-deleted pod's processes outlive the object, but not for long", async () => {
  await createPod("forced", {
    terminationGracePeriodSeconds: 30,
    containers: [shell("main", "trap 'say main-term' TERM; say main; while :; do sleep 0.05; done")],
  });
  await said("forced", "main");
  const pid = pidOf("forced", "main");
  await fixture.kube.delete(PODS, { namespace, name: "forced" }, { gracePeriodSeconds: 0 });
  await expect(fixture.kube.get(PODS, { namespace, name: "forced" })).rejects.toMatchObject({
    code: "NotFound",
  });
  expect(isRunning(pid)).toBe(true);
  await said("forced", "main-term");
  await waitFor({
    what: "main to be killed",
    withinMs: 4_000,
    everyMs: 20,
    holds: async () => !isRunning(pid),
  });
});

test("a pod that asks for RestartAllContainers is refused", async () => {
  const rule = { action: "RestartAllContainers", exitCodes: { operator: "In", values: [75] } };
  await createPod("fenced", {
    initContainers: [shell("side", "sleep 1", { restartPolicy: "Always", restartPolicyRules: [rule] })],
    containers: [shell("main", "say main")],
  });
  await expectPod("fenced", { status: { phase: "Failed", reason: "PodFeatureUnsupported" } });
  expect(await events("fenced")).toEqual([]);
});
