/** The process node against a real API server: what others can reach, from logs to signals. */
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { NODES, PODS, TOKEN_REVIEWS } from "../../src/kube/resources.ts";
import { TOKEN_AUDIENCE, TOKEN_DIR, TOKEN_VOLUME } from "../../src/shared/names.ts";
import {
  isRunning,
  namespace,
  shell,
  status,
  terminated,
  useProcessNode,
  waitUntil,
} from "./process-node-fixture.ts";

const fixture = useProcessNode("process-node-access");
const { createPod, events, said, expectPod, pidOf, kubectl } = fixture;

test("a first process without a handler ignores TERM, as in a PID namespace", async () => {
  await createPod("deaf", { containers: [shell("main", "while :; do say tick; sleep 0.05; done")] });
  await said("deaf", "tick");
  const pid = pidOf("deaf", "main");
  fixture.node.killContainer({ namespace, name: "deaf" }, "main", "SIGTERM");
  const ticks = (await events("deaf")).length;
  await waitUntil("main to go on", async () => (await events("deaf")).length > ticks + 2);
  fixture.node.killContainer({ namespace, name: "deaf" }, "main", "SIGKILL");
  await expectPod("deaf", {
    status: { phase: "Failed", containerStatuses: [status("main", terminated(137, "Error"))] },
  });
  expect(isRunning(pid)).toBe(false);
});

test("a sidecar killed with -9 is restarted alone; a paused sidecar stands still", async () => {
  const pod = { namespace, name: "killed" };
  await createPod("killed", {
    initContainers: [shell("side", "while :; do say tick; sleep 0.05; done", { restartPolicy: "Always" })],
    containers: [shell("main", "say main; sleep 100")],
  });
  await said("killed", "main");
  const mainPid = pidOf("killed", "main");
  fixture.node.killContainer(pod, "side", "SIGKILL");
  await expectPod("killed", {
    status: {
      phase: "Running",
      initContainerStatuses: [status("side", { restartCount: 1, state: { running: expect.anything() } })],
      containerStatuses: [status("main", { restartCount: 0 })],
    },
  });
  expect(pidOf("killed", "main")).toBe(mainPid);
  fixture.node.pause(pod, "side");
  const state = async () =>
    /^State:\s+(\S)/m.exec(await readFile(`/proc/${pidOf("killed", "side")}/status`, "utf8"))?.[1];
  await waitUntil("the sidecar to be stopped", async () => (await state()) === "T");
  fixture.node.resume(pod, "side");
  await waitUntil("the sidecar to go on", async () => (await state()) !== "T");
});

test("kubectl logs: whole, the last lines, with times, and followed to the end", async () => {
  const heard = join(fixture.dir, "heard");
  const untilHeard = `until [ -e ${heard} ]; do sleep 0.05; done`;
  await createPod("talking", {
    containers: [shell("main", `echo one; echo two; say talked; ${untilHeard}; printf three`)],
  });
  await said("talking", "talked");
  const followed = kubectl("logs", "-f", "talking");
  await waitUntil("two lines to be there", async () => (await kubectl("logs", "talking")) === "one\ntwo\n");
  expect(await kubectl("logs", "talking", "--tail=1", "--timestamps")).toMatch(/^\d{4}-\S+Z two\n$/);
  await writeFile(heard, "");
  expect(await followed).toBe("one\ntwo\nthree\n");
});

test("a TokenReview of a projected token names the pod", async () => {
  await createPod("known", {
    containers: [
      shell("main", `cat "$KONDUCTOR_TOKEN_PATH"; say told`, {
        volumeMounts: [{ name: TOKEN_VOLUME, mountPath: TOKEN_DIR }],
      }),
    ],
    volumes: [
      {
        name: TOKEN_VOLUME,
        projected: {
          sources: [
            { serviceAccountToken: { path: "token", audience: TOKEN_AUDIENCE, expirationSeconds: 600 } },
          ],
        },
      },
    ],
  });
  await expectPod("known", { status: { phase: "Succeeded" } });
  const token = (await kubectl("logs", "known")).trim();
  const pod = await fixture.kube.get(PODS, { namespace, name: "known" });
  const review = await fixture.kube.create(TOKEN_REVIEWS, { spec: { token, audiences: [TOKEN_AUDIENCE] } });
  expect(review).toMatchObject({
    status: {
      authenticated: true,
      user: {
        extra: {
          "authentication.kubernetes.io/pod-name": ["known"],
          "authentication.kubernetes.io/pod-uid": [expect.stringMatching(/^[0-9a-f-]{36}$/)],
          "authentication.kubernetes.io/node-name": [fixture.node.name],
        },
      },
    },
  });
  expect(pod).toMatchObject({ metadata: { uid: podUid(review) } });
});

function podUid(review: unknown): unknown {
  const text = JSON.stringify(review);
  return /"authentication\.kubernetes\.io\/pod-uid":\["([^"]+)"\]/.exec(text)?.[1];
}

test("emptyDir is shared by the containers below their mount paths, and fields of the pod are in the environment", async () => {
  await createPod("sharing", {
    initContainers: [
      shell("writer", "echo shared > work/file", { volumeMounts: [{ name: "work", mountPath: "/work" }] }),
    ],
    containers: [
      shell("main", `cat data/file; echo "$WHO"`, {
        volumeMounts: [{ name: "work", mountPath: "/data" }],
        env: [
          { name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
          { name: "WHERE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
          { name: "WHO", value: "$(NAME) on $(WHERE)" },
        ],
      }),
    ],
    volumes: [{ name: "work", emptyDir: {} }],
  });
  await expectPod("sharing", { status: { phase: "Succeeded" } });
  expect(await kubectl("logs", "sharing", "-c", "main")).toBe("shared\nsharing on process-node-access\n");
});

test("a node whose process is killed leaves nothing running", async () => {
  const program = join(import.meta.dirname, "../cluster/process-node/main.ts");
  await fixture.kube.create(NODES, { metadata: { name: "doomed" }, spec: { unschedulable: true } });
  const owner = spawn(
    process.execPath,
    [
      program,
      "--name=doomed",
      `--kubeconfig=${inject("cluster").kubeconfigPath}`,
      `--dir=${join(fixture.dir, "doomed")}`,
    ],
    { stdio: "ignore" },
  );
  try {
    // The second process leaves its session. Kubernetes turns `$$` into `$`.
    const escaped = `setsid sh -c 'echo "$$$$" >> "$EVENTS"; exec sleep 100' &`;
    const main = shell("main", `${escaped} say "$$$$"; sleep 100`);
    await createPod("orphaned", { nodeName: "doomed", containers: [main] });
    await waitUntil("both to say their pids", async () => (await events("orphaned")).length === 2);
  } finally {
    owner.kill("SIGKILL");
  }
  const pids = (await events("orphaned")).map(Number);
  await waitUntil("both to be gone", async () => !pids.some(isRunning));
  await fixture.kube.delete(PODS, { namespace, name: "orphaned" }, { gracePeriodSeconds: 0 });
  await fixture.kube.delete(NODES, { name: "doomed" });
});
