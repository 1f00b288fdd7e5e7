/** How each fault is done to a cluster, and undone. */

import { setTimeout as sleep } from "node:timers/promises";
import { SERVICES } from "../../src/kube/resources.ts";
import { podsOf } from "../../src/lease/hold.ts";
import { record, text } from "../../src/shared/json.ts";
import { GATE_CONTAINER, KEEPER_CONTAINER, SERVICE_NAME, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import type { Cluster, ControlPlaneProcessName, KubeletNode, NodeProcessName } from "../cluster/cluster.ts";
import type { Environment } from "../e2e/environment.ts";
import type { FaultName } from "./faults.ts";
import type { Watch, WatchedContainer, WatchedPod } from "./watch.ts";
import { LEASE_PLANS } from "./workloads.ts";

/** A fault that was done. */
export interface Struck {
  /** See FaultRecord. */
  pods?: readonly string[];
  /** Takes it back. Resolves when what was killed answers again. */
  heal?(): Promise<void>;
}

/** Strikes one of those that it could, by `pick` in [0, 1); undefined where there is none just now. */
export type Strike = (pick: number) => Promise<Struck | undefined>;

/** Of each half second the slow API server works so long. */
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
  /** One that has ended meanwhile is as good as healed. */
  const resume = (container: WatchedContainer) => signal(container, "SIGCONT").catch(() => undefined);

  /** Those of `pods` in which `container` runs, in a fixed order. */
  function running(pods: readonly WatchedPod[], container: string) {
    return pods
      .flatMap(({ name, isEnding, containers }) => {
        const found = containers.find((each) => each.name === container && each.state === "running");
        return found && !isEnding ? [{ pod: name, container: found }] : [];
      })
      .toSorted((a, b) => (a.pod < b.pod ? -1 : 1));
  }

  const holderNames = (isOf: (lease: string) => boolean = () => true) =>
    watch.leases.store
      .list()
      .flatMap(({ name, status }) =>
        status.hold && isOf(name) ? podsOf(status.hold).map((pod) => pod.name) : [],
      );
  const holders = (isOf?: (lease: string) => boolean) => {
    const names = holderNames(isOf);
    return watch.pods.store.list().filter(({ name }) => names.includes(name));
  };
  const isAfterTermination = (lease: string) =>
    LEASE_PLANS.some(({ name, spec }) => name === lease && spec?.handoverPolicy === "AfterTermination");

  const killIn =
    (container: string): Strike =>
    async (pick) => {
      const target = one(running(watch.pods.store.list(), container), pick);
      if (!target) return undefined;
      await signal(target.container, "SIGKILL");
      return { pods: [target.pod] };
    };
  const pauseKeeper =
    (isOf?: (lease: string) => boolean): Strike =>
    async (pick) => {
      const target = one(running(holders(isOf), KEEPER_CONTAINER), pick);
      if (!target) return undefined;
      await signal(target.container, "SIGSTOP");
      return { pods: [target.pod], heal: async () => void (await resume(target.container)) };
    };

  const replicas = () => running(watch.replicas.store.list(), "konductor");
  const arbiter = () => replicas().filter(({ pod }) => pod === watch.arbiter());
  const killReplicas =
    (choose: (pick: number) => ReturnType<typeof replicas>): Strike =>
    async (pick) => {
      const targets = choose(pick);
      await Promise.all(targets.map(({ container }) => signal(container, "SIGKILL")));
      return targets.length > 0 ? {} : undefined;
    };
  const pauseReplica =
    (choose: (pick: number) => ReturnType<typeof replicas>): Strike =>
    async (pick) => {
      const [target] = choose(pick);
      if (!target) return undefined;
      await signal(target.container, "SIGSTOP");
      return { heal: async () => void (await resume(target.container)) };
    };
  const oneReplica = (pick: number) => [one(replicas(), pick)].filter((each) => each !== undefined);

  /** Cuts pods off from konductor; resolves with their names. */
  async function cutOff(pods: readonly WatchedPod[]): Promise<string[]> {
    const peers = [serviceIp, ...watch.replicas.store.list().map(({ ip }) => ip)].filter((ip) => ip !== "");
    const reachable = pods.filter(({ ip }) => ip !== "");
    for (const { ip: podIp } of reachable)
      for (const peerIp of peers) await node.partition({ podIp, peerIp });
    return reachable.map(({ name }) => name);
  }
  /** `cut` resolves with what it was aimed at. */
  const partition =
    (cut: (pick: number) => Promise<readonly string[] | "everybody">): Strike =>
    async (pick) => {
      try {
        const pods = await cut(pick);
        if (pods.length === 0) return undefined;
        return { ...(pods !== "everybody" && { pods }), heal: node.heal };
      } catch (error) {
        await node.heal();
        throw error;
      }
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

    "kill -9 of a replica": killReplicas(oneReplica),
    "kill -9 of the arbiter": killReplicas(arbiter),
    "kill -9 of every replica": killReplicas(replicas),
    "pause of a replica": pauseReplica(oneReplica),
    "pause of the arbiter": pauseReplica(arbiter),

    "partition of a holder from konductor": partition((pick) => cutOff(oneHolder(pick))),
    "partition of every holder from konductor": partition(() => cutOff(holders())),
    "partition of all pods": partition(async () => {
      await node.partition({});
      return "everybody";
    }),
    "partition of the kubelet from the API server": partition(async () => {
      await node.cutKubelet();
      return "everybody";
    }),
    "partition of the holders from konductor and of the kubelet from the API server": partition(async () => {
      await node.cutKubelet();
      await cutOff(holders());
      return "everybody";
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

function one<T>(items: readonly T[], pick: number): T | undefined {
  return items[Math.floor(pick * items.length)];
}
