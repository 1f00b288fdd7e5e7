/** A process node in the cluster that the integration tests share, and pods that record what happens to them. */
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll, expect, inject } from "vitest";
import { createKubeClient, type KubeClient } from "../../src/kube/client.ts";
import { NODES, PODS } from "../../src/kube/resources.ts";
import { createLogger } from "../../src/shared/log.ts";
import { run } from "../cluster/command.ts";
import { fieldsOf } from "../cluster/process-node/fields.ts";
import { type ProcessNode, startProcessNode } from "../cluster/process-node/process-node.ts";
import { waitFor } from "../cluster/wait.ts";

export const namespace = "default";

export interface PodParts {
  readonly initContainers?: readonly object[];
  readonly containers: readonly object[];
  readonly [key: string]: unknown;
}

export interface NodeFixture {
  readonly node: ProcessNode;
  readonly kube: KubeClient;
  /** For the test's files; removed afterwards. */
  readonly dir: string;
  kubectl(...args: string[]): Promise<string>;
  /** A pod's spec, bound to the node; every container knows where to write its events. */
  podSpec(name: string, parts: PodParts): object;
  createPod(name: string, parts: PodParts): Promise<void>;
  /** The words that the pod's containers wrote, in order. */
  events(name: string): Promise<string[]>;
  /** Waits until a container of the pod has written the word. */
  said(name: string, word: string): Promise<void>;
  /** Waits until the pod matches `expected`, a part of it; fails with the difference if it never does. */
  expectPod(name: string, expected: object): Promise<void>;
  pidOf(pod: string, container: string): number;
}

/** Starts the node before the tests of a file and ends it after them. The fixture's parts exist only within tests. */
export function useProcessNode(name: string): NodeFixture {
  const { kubeconfigPath, kubectlPath } = inject("cluster");
  let started: { node: ProcessNode; kube: KubeClient; dir: string } | undefined;
  const there = () => {
    if (!started) throw new Error(`node ${name} is there within tests only`);
    return started;
  };

  beforeAll(async () => {
    const dir = await mkdtemp(join(tmpdir(), `${name}-`));
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromFile(kubeconfigPath);
    const kube = createKubeClient({ kubeConfig, userAgent: "process-node-test" });
    // Other tests share the cluster: the scheduler must not find this node. Pods of this fixture name the node.
    await kube.create(NODES, { metadata: { name }, spec: { unschedulable: true } });
    const node = await startProcessNode({
      kubeconfigPath,
      name,
      dir: join(dir, "node"),
      bundleDir: join(dir, "dist"),
      nodePath: process.execPath,
      logger: createLogger({ level: "error" }),
    });
    started = { node, kube, dir };
  });

  afterAll(async () => {
    const { node, kube, dir } = there();
    await node.stop();
    const { items } = await kube.list(PODS, { namespace, fieldSelector: `spec.nodeName=${name}` }, podName);
    for (const pod of items) await kube.delete(PODS, { namespace, name: pod }, { gracePeriodSeconds: 0 });
    await kube.delete(NODES, { name });
    await kube.close();
    await rm(dir, { recursive: true, force: true });
  });

  const eventsPath = (pod: string) => join(there().dir, `${pod}.events`);
  const fixture: NodeFixture = {
    get node() {
      return there().node;
    },
    get kube() {
      return there().kube;
    },
    get dir() {
      return there().dir;
    },
    kubectl: (...args) => run(kubectlPath, [`--kubeconfig=${kubeconfigPath}`, "-n", namespace, ...args]),
    podSpec(pod, parts) {
      const env = [{ name: "EVENTS", value: eventsPath(pod) }];
      const told = (containers: readonly object[] = []) =>
        containers.map((container) => ({ env, ...container }));
      return {
        nodeName: name,
        restartPolicy: "Never",
        terminationGracePeriodSeconds: 2,
        ...parts,
        initContainers: told(parts.initContainers),
        containers: told(parts.containers),
      };
    },
    async createPod(pod, parts) {
      await there().kube.create(PODS, {
        metadata: { name: pod, namespace },
        spec: fixture.podSpec(pod, parts),
      });
    },
    async events(pod) {
      return (await readFile(eventsPath(pod), "utf8").catch(() => "")).split("\n").slice(0, -1);
    },
    said: (pod, word) =>
      waitUntil(`pod ${pod} to say ${word}`, async () => (await fixture.events(pod)).includes(word)),
    async expectPod(pod, expected) {
      await expect
        .poll(() => there().kube.get(PODS, { namespace, name: pod }), { timeout: 20_000, interval: 50 })
        .toMatchObject(expected);
    },
    pidOf(pod, container) {
      const found = there()
        .node.pods()
        .find((item) => item.name === pod)
        ?.containers.find((item) => item.name === container);
      if (!found) throw new Error(`${container} of ${pod} does not run`);
      return found.pid;
    },
  };
  return fixture;
}

/** A container that runs a shell script, in which `say WORD` appends to the pod's events. */
export function shell(name: string, script: string, rest: object = {}): object {
  const command = ["sh", "-c", `say() { echo "$1" >> "$EVENTS"; }\n${script}`];
  return { name, image: "none", command, ...rest };
}

export async function waitUntil(what: string, holds: () => Promise<boolean>): Promise<void> {
  await waitFor({ what, withinMs: 20_000, everyMs: 50, holds });
}

/** A container's status; `rest` has the fields that matter. */
export function status(name: string, rest: object): unknown {
  return expect.objectContaining({ name, ...rest });
}

export function terminated(exitCode: number, reason: string): object {
  return { state: { terminated: expect.objectContaining({ exitCode, reason }) } };
}

/** A process that has ended but was not reaped counts as gone. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function podName(value: unknown): string {
  return fieldsOf(value, "pod").child("metadata").text("name");
}
