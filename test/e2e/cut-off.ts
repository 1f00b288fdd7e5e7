/** Pods that cannot reach konductor, on a node that runs on. */
import { PODS, SERVICES } from "../../src/kube/resources.ts";
import { record, text } from "../../src/shared/json.ts";
import { SERVICE_NAME, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import type { Heal } from "../cluster/cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Environment, PodName } from "./environment.ts";

/** Cuts pods off from every address of konductor; resolves with a function that heals the cut. */
export async function cutOff({ client, cluster }: Environment, pods: readonly PodName[]): Promise<Heal> {
  const { node } = cluster;
  if (!node) throw new Error("only a kubelet's pods can be cut off");
  const podIps = await Promise.all(pods.map((pod) => ipOf(client, pod)));
  const peerIps = await konductorIps(client);
  return node.partition(...podIps.flatMap((podIp) => peerIps.map((peerIp) => ({ podIp, peerIp }))));
}

/** A busy kubelet reports the address some time after the pod's first sign of life. */
async function ipOf(client: Environment["client"], pod: PodName): Promise<string> {
  let ip: string | undefined;
  await waitFor({
    what: `pod ${pod.name} to have an address`,
    withinMs: 10_000,
    async holds() {
      ip = text(record(record(await client.get(PODS, pod))["status"])["podIP"]);
      return ip !== undefined;
    },
  });
  return ip ?? "";
}

/** Every address at which a keeper can reach konductor. */
async function konductorIps(client: Environment["client"]): Promise<string[]> {
  const namespace = SYSTEM_NAMESPACE;
  const service = record(await client.get(SERVICES, { namespace, name: SERVICE_NAME }));
  const pods = (await client.list(PODS, { namespace })).items.map(record);
  return [record(service["spec"])["clusterIP"], ...pods.map((pod) => record(pod["status"])["podIP"])]
    .map(text)
    .filter((ip) => ip !== undefined);
}
