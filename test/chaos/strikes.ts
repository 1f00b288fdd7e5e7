/** How each fault is injected into a cluster, and healed. */

import { setTimeout as sleep } from "node:timers/promises";
import { SERVICES } from "../../src/kube/resources.ts";
import { record, text } from "../../src/shared/json.ts";
import { GATE_CONTAINER, KEEPER_CONTAINER, SERVICE_NAME, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import type {
  Cluster,
  ControlPlaneProcessName,
  KubeletNode,
  NodeProcessName,
  Partition,
} from "../cluster/cluster.ts";
import type { Environment } from "../e2e/environment.ts";
import type { FaultName } from "./faults.ts";
import { createReplicaStrikes } from "./replica-strikes.ts";
import type { Strike, Struck } from "./strike.ts";
import { createTargets, one, running } from "./targets.ts";
import type { Watch, WatchedContainer, WatchedPod } from "./watch.ts";
import { LEASE_PLANS } from "./workloads.ts";

/** How long the slow API server runs in each half second. */
const SLOW_WORKS_MS = 100;
const SLOW_STANDS_MS = 400;

export async function createStrikes(
  environment: Environment,
  watch: Watch,
): Promise<Readonly<Record<FaultName, Strike>>> {
  const { cluster, client } = environment;
  const { controlPlane } = cluster;
  const node = nodeOf(cluster);
  const service = record(await client.get(SERVICES, { namespace: SYSTEM_NAMESPACE, name: SERVICE_NAME }));
  const targets = createTargets(watch);
  const { holders } = targets;
  const serviceIp = text(record(service["spec"])["clusterIP"]) ?? "";

  const killProcess =
    (name: ControlPlaneProcessName): Strike =>
    async () => {
      await controlPlane.kill(name);
      return { heal: () => controlPlane.start(name) };
    };
  const pauseProcess =
    (name: ControlPlaneProcessName): Strike =>
    async () => {
      controlPlane.pause(name);
      return { heal: async () => controlPlane.resume(name) };
    };
  const killOnNode =
    (name: NodeProcessName): Strike =>
    async () => {
      await node.kill(name);
      return { heal: () => node.start(name) };
    };
  const pauseOnNode =
    (name: NodeProcessName): Strike =>
    async () => {
      node.pause(name);
      return { heal: async () => node.resume(name) };
    };

  async function slowApiServer(): Promise<Struck> {
    let isHealed = false;
    const slowing = (async () => {
      while (!isHealed) {
        controlPlane.pause("kube-apiserver");
        await sleep(SLOW_STANDS_MS);
        controlPlane.resume("kube-apiserver");
        await sleep(SLOW_WORKS_MS);
      }
    })();
    const heal = () => {
      isHealed = true;
      return slowing;
    };
    return { heal };
  }

  const signal = ({ id }: WatchedContainer, name: NodeJS.Signals) => node.signalContainer(id, name);
  /** A container that has ended meanwhile counts as healed. */
  const resume = (container: WatchedContainer) => signal(container, "SIGCONT").catch(() => undefined);

  const isAfterTermination = (lease: string) =>
    LEASE_PLANS.some(({ name, spec }) => name === lease && spec?.handoverPolicy === "AfterTermination");

  const killIn =
    (container: string): Strike =>
    async (pick) => {
      const target = one(running(watch.pods.store.list(), container), pick);
      if (!target) return undefined;
      await signal(target.container, "SIGKILL");
      return { pods: [target.pod.name] };
    };
  const pauseKeeper =
    (isOf?: (lease: string) => boolean): Strike =>
    async (pick) => {
      const target = one(running(holders(isOf), KEEPER_CONTAINER), pick);
      if (!target) return undefined;
      await signal(target.container, "SIGSTOP");
      return { pods: [target.pod.name], heal: async () => void (await resume(target.container)) };
    };

  const hasIp = ({ ip }: WatchedPod) => ip !== "";
  /** Cuts between the pods and konductor. */
  function cutsOf(pods: readonly WatchedPod[]): Partition[] {
    const replicaIps = watch.replicas.store
      .list()
      .filter(hasIp)
      .map(({ ip }) => ip);
    const peerIps = [serviceIp, ...replicaIps];
    return pods.filter(hasIp).flatMap(({ ip: podIp }) => peerIps.map((peerIp) => ({ podIp, peerIp })));
  }
  const partition =
    (choose: (pick: number) => readonly WatchedPod[]): Strike =>
    async (pick) => {
      const pods = choose(pick).filter(hasIp);
      if (pods.length === 0) return undefined;
      return { pods: pods.map(({ name }) => name), heal: await node.partition(...cutsOf(pods)) };
    };
  const oneHolder = (pick: number) => [one(holders(), pick)].filter((each) => each !== undefined);

  return {
    "kill -9 of kube-apiserver": killProcess("kube-apiserver"),
    "kill -9 of etcd": killProcess("etcd"),
    "pause of kube-apiserver": pauseProcess("kube-apiserver"),
    "pause of etcd": pauseProcess("etcd"),
    "slow kube-apiserver": slowApiServer,
    "kill -9 of kube-controller-manager": killProcess("kube-controller-manager"),
    "kill -9 of kube-scheduler": killProcess("kube-scheduler"),

    ...createReplicaStrikes(node, targets),

    "partition of a holder from konductor": partition(oneHolder),
    "partition of every holder from konductor": partition(() => holders()),
    "partition of all pods": async () => ({ heal: await node.partition({}) }),
    "partition of the kubelet from the API server": async () => ({ heal: await node.partition("kubelet") }),
    "partition of the holders from konductor and of the kubelet from the API server": async () => ({
      heal: await node.partition("kubelet", ...cutsOf(holders())),
    }),

    "kill -9 of a gate": killIn(GATE_CONTAINER),
    "kill -9 of a main": killIn("main"),
    "kill -9 of a keeper": killIn(KEEPER_CONTAINER),
    async "kill -9 of a sandbox"(pick) {
      const target = one(holders(), pick);
      if (!target) return undefined;
      await node.killSandbox(target.uid);
      return { pods: [target.name] };
    },
    async "deletion of a holder"(pick) {
      const target = one(holders(), pick);
      if (!target) return undefined;
      await environment.kubectl("-n", target.namespace ?? "", "delete", "pod", target.name, "--wait=false");
      return { pods: [target.name] };
    },
    "pause of a keeper": pauseKeeper(),
    "pause of a keeper under AfterTermination": pauseKeeper(isAfterTermination),

    "kill -9 of the kubelet": killOnNode("kubelet"),
    "pause of the kubelet": pauseOnNode("kubelet"),
    "kill -9 of containerd": killOnNode("containerd"),
    "pause of containerd": pauseOnNode("containerd"),
  };
}

function nodeOf({ node }: Pick<Cluster, "node">): KubeletNode {
  if (!node) throw new Error("chaos needs a cluster with a kubelet");
  return node;
}
