import { mkdir, readdir } from "node:fs/promises";
import { userInfo } from "node:os";
import { resolve } from "node:path";
import { CONTROL_PLANE_BINARIES, NODE_BINARIES } from "./binaries/catalog.ts";
import { binarySources, findBinaries } from "./binaries/find.ts";
import { CONTROL_PLANE_PORTS, startControlPlane } from "./control-plane.ts";
import type { ControlPlane, ControlPlaneProcessName } from "./control-plane-api.ts";
import { NODE_PACKAGES, requirePackages } from "./debian-packages.ts";
import { startKubeletNode } from "./kubelet-node.ts";
import type { KubeletNode } from "./kubelet-node-api.ts";
import type { Log } from "./log.ts";
import { createNetwork } from "./network/namespace.ts";
import { startReaper } from "./reaper/reaper.ts";
import { cleanUp } from "./state/clean-up.ts";
import { claimSlot, cleanUpLeftovers, removeRecord, slotPorts } from "./state/slots.ts";

export type { ControlPlane, ControlPlaneProcessName } from "./control-plane-api.ts";
export {
  API_SERVER_CLUSTER_IP,
  type Cut,
  type Heal,
  type KubeletNode,
  type NodeProcessName,
  type Partition,
} from "./kubelet-node-api.ts";
export { type Log, streamLog } from "./log.ts";

/** A real Kubernetes cluster for tests. */
export interface Cluster {
  readonly kubeconfigPath: string;
  readonly apiServerUrl: string;
  readonly dir: string;
  readonly auditLogPath: string;
  /** A kubectl of the cluster's version. */
  readonly kubectlPath: string;
  readonly controlPlane: ControlPlane;
  /** Ports on loopback for servers beside the cluster: the kernel assigns none of them to outgoing connections. */
  readonly freePorts: readonly number[];
  /** Present with `node: "kubelet"`. */
  readonly node?: KubeletNode;
  /** Ends every process, container, mount and network namespace of the cluster and removes `dir`. May be called twice. */
  stop(): Promise<void>;
}

export interface ClusterOptions {
  /** `kubelet` needs root on Linux. */
  readonly node: "none" | "kubelet";
  /** Environment of the processes; KONDUCTOR_KUBE_BIN, XDG_CACHE_HOME and NO_INSTALL are read from it. Pass `process.env`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** The cluster's name in the log. */
  readonly name?: string;
  /** An empty or missing folder; by default a new one in the system's temporary folder. */
  readonly dir?: string;
  /** Further flags for a process of the control plane. */
  readonly flags?: Partial<Record<ControlPlaneProcessName, readonly string[]>>;
}

/**
 * Starts a cluster and returns when it is ready: the default service account exists and the node is Ready. Several may run at once. If the owner of a
 * cluster dies, the reaper ends the cluster. If the reaper died too, the next start does.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { env, log } = options;
  const withNode = options.node === "kubelet";
  if (withNode) requireRoot();
  const startedMs = performance.now();
  if (options.dir) await requireUsableDir(resolve(options.dir));
  await cleanUpLeftovers(log);
  const sources = binarySources(env, log);
  if (withNode) await requirePackages(NODE_PACKAGES, options);
  const nodeBinaries = withNode
    ? await findBinaries([...CONTROL_PLANE_BINARIES, ...NODE_BINARIES], sources)
    : undefined;
  const binaries = nodeBinaries ?? (await findBinaries(CONTROL_PLANE_BINARIES, sources));

  const slot = await claimSlot(options.dir);
  const { record } = slot;
  const reaper = startReaper(slot.recordPath);
  let stopped: Promise<void> | undefined;
  const end = async () => {
    await cleanUp(record);
    await removeRecord(slot.recordPath, record);
    await reaper.dismiss();
  };
  const stop = () => {
    stopped ??= end();
    return stopped;
  };
  try {
    await mkdir(record.dir, { recursive: true });
    const network = withNode ? await createNetwork(record) : undefined;
    const path = env["PATH"] ?? "";
    const ports = slotPorts(record.slot);
    const controlPlane = await startControlPlane({
      binaries,
      dir: record.dir,
      address: network?.addresses.node ?? "127.0.0.1",
      ports,
      enter: network?.enter ?? [],
      path,
      flags: options.flags ?? {},
    });
    const node =
      network &&
      nodeBinaries &&
      (await startKubeletNode({
        binaries: nodeBinaries,
        controlPlane,
        network,
        cacheDir: sources.cacheDir,
        path,
      }));
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    log.line(
      `${options.name ?? "cluster"} ready after ${seconds} s: KUBECONFIG=${controlPlane.kubeconfigPath}`,
    );
    const { kubeconfigPath, apiServerUrl, dir, auditLogPath } = controlPlane;
    return {
      kubeconfigPath,
      apiServerUrl,
      dir,
      auditLogPath,
      kubectlPath: binaries.kubectl,
      controlPlane,
      freePorts: ports.slice(CONTROL_PLANE_PORTS),
      ...(node && { node }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function requireRoot(): void {
  if (process.platform !== "linux" || userInfo().uid !== 0) {
    throw new Error(
      "a kubelet node needs root on Linux: run this as root, or start the cluster without a node",
    );
  }
}

/** A Unix socket's path has at most 107 bytes, and containerd's socket is below this folder. */
const DIR_MAX_BYTES = 80;

/** The folder is removed at the end, so it must not hold anything else. */
async function requireUsableDir(dir: string): Promise<void> {
  const entries = await readdir(dir).catch(() => []);
  if (entries.length > 0) throw new Error(`${dir} is not empty: give the cluster a folder of its own`);
  if (Buffer.byteLength(dir) > DIR_MAX_BYTES) {
    throw new Error(`${dir} is too long for the sockets in it: at most ${DIR_MAX_BYTES} bytes`);
  }
}
