/** How faults are injected into konductor's own replicas. */
import { API_SERVER_CLUSTER_IP, type KubeletNode } from "../cluster/cluster.ts";

import type { ApiConnection } from "../cluster/network/connections.ts";
import type { FaultName } from "./faults.ts";
import type { Strike } from "./strike.ts";
import { one, type Target, type Targets } from "./targets.ts";

type ReplicaFault = Extract<FaultName, `${string}${"replica" | "arbiter"}${string}`>;

export function createReplicaStrikes(
  node: Pick<KubeletNode, "signalContainer" | "partition" | "apiConnections">,
  { replicas, arbiter }: Targets,
): Readonly<Record<ReplicaFault, Strike>> {
  const oneReplica = (pick: number) => [one(replicas(), pick)].filter((each) => each !== undefined);
  const signal = ({ container }: Target, name: NodeJS.Signals) => node.signalContainer(container.id, name);
  const namesOf = (targets: readonly Target[]) => targets.map(({ pod }) => pod.name);

  const kill =
    (choose: (pick: number) => readonly Target[]): Strike =>
    async (pick) => {
      const targets = choose(pick);
      await Promise.all(targets.map((target) => signal(target, "SIGKILL")));
      return targets.length > 0 ? { pods: namesOf(targets) } : undefined;
    };
  const pause =
    (choose: (pick: number) => readonly Target[]): Strike =>
    async (pick) => {
      const [target] = choose(pick);
      if (!target) return undefined;
      await signal(target, "SIGSTOP");
      // A container that has ended meanwhile counts as healed.
      return { pods: namesOf([target]), heal: () => signal(target, "SIGCONT").catch(() => undefined) };
    };

  /** A ready replica, if another replica is ready, too. */
  function oneOfReady(pick: number): Target | undefined {
    const ready = replicas().filter(({ pod, container }) => container.isReady && pod.ip !== "");
    return ready.length > 1 ? one(ready, pick) : undefined;
  }

  return {
    "kill -9 of a replica": kill(oneReplica),
    "kill -9 of the arbiter": kill(arbiter),
    "kill -9 of every replica": kill(replicas),
    "pause of a replica": pause(oneReplica),
    "pause of the arbiter": pause(arbiter),
    async "cut of a replica from the API server"(pick) {
      const target = oneOfReady(pick);
      if (!target) return undefined;
      const heal = await node.partition({ podIp: target.pod.ip, peerIp: API_SERVER_CLUSTER_IP });
      return { pods: namesOf([target]), heal };
    },
    async "stall of a replica's watch"(pick) {
      const target = oneOfReady(pick);
      if (!target) return undefined;
      const podIp = target.pod.ip;
      const watch = one((await node.apiConnections(podIp)).filter(isWatch), (pick * 10) % 1);
      if (!watch) return undefined;
      return { pods: namesOf([target]), heal: await node.partition({ podIp, podPort: watch.podPort }) };
    },
  };
}

/** Every call but a watch is answered sooner. */
const ANSWERED_WITHIN_MS = 1_000;
/** konductor's watches end after 5 s. */
const LASTS_MS = 4_000;

/** Whether the connection carries a watch that has delivered something: konductor speaks HTTP/1.1, one call at a time on each connection. */
function isWatch({ requestedAgoMs, answeredAgoMs }: ApiConnection): boolean {
  return requestedAgoMs < LASTS_MS && requestedAgoMs - answeredAgoMs > ANSWERED_WITHIN_MS;
}
