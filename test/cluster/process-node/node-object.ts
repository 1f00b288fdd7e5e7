/** The Node and its Lease in kube-node-lease, by which the control plane sees that the node is alive. */
import { availableParallelism, totalmem } from "node:os";
import type { KubeClient } from "../../../src/kube/client.ts";
import { ELECTION_LEASES, NODES } from "../../../src/kube/resources.ts";
import type { Clock } from "../../../src/shared/clock.ts";
import { describeError, hasCode } from "../../../src/shared/errors.ts";
import type { Logger } from "../../../src/shared/log.ts";
import { KUBERNETES_VERSION } from "../versions.ts";
import { time } from "./container-status.ts";

export interface NodeObjectOptions {
  readonly kube: KubeClient;
  readonly name: string;
  readonly hostIp: string;
  /** The port of the log server. */
  readonly kubeletPort: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LEASE_NAMESPACE = "kube-node-lease";
/** The kubelet's defaults. */
const LEASE_SECONDS = 40;
const RENEW_EVERY_MS = 10_000;

/**
 * Writes the Node as Ready, and its Lease; then renews both until the signal aborts. If heartbeats fail for a while, the control plane marks the node
 * Unknown and taints it until the node reports Ready again.
 */
export async function registerNode(options: NodeObjectOptions, signal: AbortSignal): Promise<void> {
  const { kube, name, clock, logger } = options;
  const metadata = { name, labels: labels(name) };
  await createOrPass(() => kube.create(NODES, { metadata }));
  await kube.patch(NODES, { name }, { metadata }, { type: "merge" });
  const status = nodeStatus(options);
  const sayReady = () =>
    kube.patch(NODES, { name }, { status }, { type: "strategic", subresource: "status" });
  await sayReady();
  await createOrPass(() =>
    kube.create(ELECTION_LEASES, { metadata: { name, namespace: LEASE_NAMESPACE }, spec: {} }),
  );
  const renew = () =>
    kube.patch(
      ELECTION_LEASES,
      { namespace: LEASE_NAMESPACE, name },
      {
        spec: {
          holderIdentity: name,
          leaseDurationSeconds: LEASE_SECONDS,
          renewTime: microTime(clock.nowMs()),
        },
      },
      { type: "merge" },
    );
  await renew();
  void (async () => {
    while (!signal.aborted) {
      await clock.sleep(RENEW_EVERY_MS, signal).catch(() => {});
      if (signal.aborted) return;
      await renew()
        .then(sayReady)
        .catch((error: unknown) => logger.warn({ error: describeError(error) }, "no heartbeat"));
    }
  })();
}

async function createOrPass(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!hasCode(error, "AlreadyExists")) throw error;
  }
}

function labels(name: string): Record<string, string> {
  return {
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": ARCHITECTURE,
    "beta.kubernetes.io/os": "linux",
    "beta.kubernetes.io/arch": ARCHITECTURE,
  };
}

const ARCHITECTURE = process.arch === "x64" ? "amd64" : process.arch;

function nodeStatus({ name, hostIp, kubeletPort, clock }: NodeObjectOptions): object {
  const now = time(clock.nowMs());
  const resources = {
    cpu: String(availableParallelism()),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: "110",
    "ephemeral-storage": "100Gi",
  };
  return {
    capacity: resources,
    allocatable: resources,
    // RestartAllContainersOnContainerExits is left out on purpose: pods that use it need a real kubelet.
    declaredFeatures: [],
    addresses: [
      { type: "InternalIP", address: hostIp },
      { type: "Hostname", address: name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } },
    conditions: [
      condition("MemoryPressure", "False", "KubeletHasSufficientMemory", now),
      condition("DiskPressure", "False", "KubeletHasNoDiskPressure", now),
      condition("PIDPressure", "False", "KubeletHasSufficientPID", now),
      condition("Ready", "True", "KubeletReady", now),
    ],
    nodeInfo: {
      machineID: name,
      systemUUID: name,
      bootID: name,
      kernelVersion: "",
      osImage: "konductor process node",
      containerRuntimeVersion: "process://1",
      kubeletVersion: KUBERNETES_VERSION,
      kubeProxyVersion: "",
      operatingSystem: "linux",
      architecture: ARCHITECTURE,
    },
  };
}

function condition(type: string, status: string, reason: string, now: string): object {
  return { type, status, reason, message: "process node", lastHeartbeatTime: now, lastTransitionTime: now };
}

function microTime(atMs: number): string {
  return new Date(atMs).toISOString().replace("Z", "000Z");
}
