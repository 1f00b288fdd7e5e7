/**
 * A node without root: pods bound to it run as local processes, in the kubelet's order (init containers, native sidecars, hooks, signals, grace
 * periods, restarts, statuses; each ported part names its source). The node writes to the API server what the kubelet of 1.37 writes, for the fields
 * in pod-status.ts.
 *
 * Deliberate limits:
 * - No image is unpacked: the first word of a command is the host's (PATH, `commandPaths`), `bundleDir` replaces `/konductor/…`, and a container
 *   without a command is not started (CreateContainerConfigError).
 * - Nothing is mounted. A volume is a folder below the pod's. A container starts in a folder with a symbolic link at each mount path (`cat run/x`,
 *   not `cat /run/x`); environment variables point konductor's own containers to their files. A hostPath with the same mount path is simply there.
 * - Termination messages are read from the file that KONDUCTOR_TERMINATION_LOG names, not from /dev/termination-log.
 * - No network of its own: every pod shares the host's. Pods get addresses in 127.64.0.0/10 to listen on; there are no Services.
 * - No probes, no postStart, no HTTP hooks, no resource limits, no events, no ephemeral containers.
 * - A container's first process gets a signal only if it has a handler, as in a PID namespace. A child that leaves its session outlives its
 *   container, but not the node.
 * - No RestartAllContainers and no sandbox re-creation: such pods are rejected, as by a kubelet without the feature.
 * - What the kubelet learns once a second, this node learns at once. A restarted node runs its unfinished pods from the beginning.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, symlink } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { createKubeClient } from "../../../src/kube/client.ts";
import { type Clock, systemClock } from "../../../src/shared/clock.ts";
import type { Logger } from "../../../src/shared/log.ts";
import {
  ENV,
  LEASE_VOLUME,
  STATE_VOLUME,
  TOKEN_PATH,
  TOKEN_VOLUME,
  TRUST_VOLUME,
} from "../../../src/shared/names.ts";
import { startLogServer } from "./log-server.ts";
import { nodeApi } from "./node-api.ts";
import { registerNode } from "./node-object.ts";
import { isTerminal, type Pod } from "./pod.ts";
import { podContainers, type RunningContainer, type VolumeEnv } from "./pod-containers.ts";
import { followPods } from "./pod-source.ts";
import { type PodWorker, startPodWorker } from "./pod-worker.ts";
import { startReaper } from "./reaper/reaper.ts";

export interface ProcessNodeOptions {
  readonly kubeconfigPath: string;
  /** `process-node` by default. */
  readonly name?: string;
  /** An empty or missing folder for the pods' files. */
  readonly dir: string;
  /** The folder with the files of `/konductor` in konductor's image. */
  readonly bundleDir: string;
  /** Runs `node` in containers. Must be a Node that runs TypeScript, because konductor's programs are TypeScript here. */
  readonly nodePath: string;
  /** Further programs: path in the image to path on the host. `node` and `/usr/bin/node` are `nodePath`. */
  readonly commandPaths?: Readonly<Record<string, string>>;
  /** Overrides the pod's own environment in gate and keeper, e.g. KONDUCTOR_URL where nothing routes ClusterIPs. */
  readonly konductorEnv?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  readonly logger: Logger;
}

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
}

/** A pod on the node, with its current processes. */
export interface PodInfo extends PodRef {
  readonly uid: string;
  readonly ip: string;
  readonly containers: readonly { readonly name: string; readonly pid: number }[];
}

export interface ProcessNode {
  /** The Node object's name. */
  readonly name: string;
  pods(): PodInfo[];
  /**
   * Signals a container's first process, as `kill` on the node would. SIGKILL reaches the whole container; SIGSTOP and SIGCONT reach all of its
   * processes. Throws if no such container runs.
   */
  killContainer(pod: PodRef, container: string, signal: NodeJS.Signals): void;
  /** SIGSTOP: the container keeps its connections and does nothing. */
  pause(pod: PodRef, container: string): void;
  /** SIGCONT. */
  resume(pod: PodRef, container: string): void;
  /** Kills every process of the node and writes nothing any more, like a node that loses power. May be called twice. */
  stop(): Promise<void>;
}

const HOST_IP = "127.0.0.1";
const BASH = "/bin/bash";
/** containerd's default. */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Starts the node and returns when it is registered, Ready, and follows its pods. */
export async function startProcessNode(options: ProcessNodeOptions): Promise<ProcessNode> {
  const { name = "process-node", clock = systemClock(), logger, nodePath } = options;
  const dir = resolve(options.dir);
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(options.kubeconfigPath);
  const kube = createKubeClient({ kubeConfig, userAgent: "konductor-process-node", logger, clock });
  const reaper = startReaper(nodePath, join(dir, "pods"));
  const workers = new Map<string, PodWorker>();
  const ending = new AbortController();
  const searchPath = `${await programFolder(dir, nodePath)}:${DEFAULT_PATH}`;
  const commandPaths = { node: nodePath, "/usr/bin/node": nodePath, ...options.commandPaths };
  const paths = { bundleDir: options.bundleDir, commandPaths };
  const volumeEnv: VolumeEnv = {
    [TOKEN_VOLUME]: (path) => ({
      [ENV.tokenPath]: join(path, basename(TOKEN_PATH)),
      ...options.konductorEnv,
    }),
    [STATE_VOLUME]: (path) => ({ [ENV.stateDir]: path }),
    [TRUST_VOLUME]: (path) => ({ [ENV.trustDir]: path }),
    [LEASE_VOLUME]: (path) => ({ [ENV.leaseDir]: path }),
  };
  const api = nodeApi(kube);
  let addresses = 0;

  function add(pod: Pod): void {
    const podDir = join(dir, "pods", pod.uid);
    const worker = startPodWorker({
      pod,
      dir: podDir,
      addresses: { hostIp: HOST_IP, podIp: pod.hostNetwork ? HOST_IP : podAddress(++addresses) },
      api,
      clock,
      logger: logger.child({ pod: `${pod.namespace}/${pod.name}` }),
      createContainers: (changed) =>
        podContainers({
          dir: podDir,
          clock,
          reaper,
          paths,
          searchPath,
          volumeEnv,
          terminationLogEnv: ENV.terminationLog,
          changed,
        }),
    });
    workers.set(pod.uid, worker);
    void worker.ended.then(() => workers.delete(pod.uid));
  }

  function find(pod: PodRef, container: string): RunningContainer {
    for (const worker of workersOf(workers, pod)) {
      const found = worker.containers.running().find((item) => item.container.name === container);
      if (found) return found;
    }
    throw new Error(`no container ${container} of pod ${pod.namespace}/${pod.name} runs on ${name}`);
  }

  const logs = await startLogServer({
    host: HOST_IP,
    clientCaPem: await clusterCa(kubeConfig),
    find: (namespace, podName, container, previous) =>
      workersOf(workers, { namespace, name: podName }).at(-1)?.containers.log(container, previous),
  });

  const node: ProcessNode = {
    name,
    pods: () =>
      [...workers.values()].map(({ pod, containers, ip }) => ({
        namespace: pod.namespace,
        name: pod.name,
        uid: pod.uid,
        ip,
        containers: containers.running().map(({ container, pid }) => ({ name: container.name, pid })),
      })),
    killContainer: (pod, container, signal) => find(pod, container).signal(signal),
    pause: (pod, container) => find(pod, container).signal("SIGSTOP"),
    resume: (pod, container) => find(pod, container).signal("SIGCONT"),
    async stop() {
      if (ending.signal.aborted) return;
      ending.abort();
      logs.close();
      await Promise.all([...workers.values()].map((worker) => worker.stop()));
      reaper.dismiss();
      await kube.close();
    },
  };

  try {
    await registerNode({ kube, name, hostIp: HOST_IP, kubeletPort: logs.port, clock, logger }, ending.signal);
    await followPods(
      { kube, nodeName: name, clock, logger, signal: ending.signal },
      {
        seen(pod) {
          const worker = workers.get(pod.uid);
          if (worker) worker.update(pod);
          else if (!isTerminal(pod.phase)) add(pod);
        },
        gone: (uid) => workers.get(uid)?.removed(),
      },
    );
  } catch (error) {
    await node.stop();
    throw error;
  }
  return node;
}

function workersOf(workers: ReadonlyMap<string, PodWorker>, { namespace, name }: PodRef): PodWorker[] {
  return [...workers.values()].filter(({ pod }) => pod.namespace === namespace && pod.name === name);
}

/** A folder with `node` and, if the host has bash, `sh`: what containers find on their PATH before the host's own. */
async function programFolder(dir: string, nodePath: string): Promise<string> {
  const bin = join(dir, "bin");
  await mkdir(bin, { recursive: true });
  await symlink(nodePath, join(bin, "node"));
  // Like busybox's shell, bash can wait without a further process.
  if (existsSync(BASH)) await symlink(BASH, join(bin, "sh"));
  return bin;
}

function podAddress(index: number): string {
  return `127.${64 + ((index >> 16) & 63)}.${(index >> 8) & 255}.${index & 255}`;
}

/** The CA that signs the cluster's client certificates, which also signs the API server's. */
async function clusterCa(kubeConfig: KubeConfig): Promise<string> {
  const cluster = kubeConfig.getCurrentCluster();
  if (cluster?.caData) return Buffer.from(cluster.caData, "base64").toString("utf8");
  if (cluster?.caFile) return await readFile(cluster.caFile, "utf8");
  throw new Error("the kubeconfig names no certificate authority: take one that does");
}
