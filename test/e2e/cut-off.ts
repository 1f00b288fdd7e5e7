/** Pods that cannot reach konductor, on a node that runs on. */
import { PODS, SERVICES } from "../../src/kube/resources.ts";
import { record, text } from "../../src/shared/json.ts";
import { SERVICE_NAME, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import type { Environment, PodName } from "./environment.ts";

/** Cuts `pod` off from every address of konductor, until all cuts are healed. */
export async function cutOff(environment: Environment, pod: PodName): Promise<void> {
  const podIp = text(record(record(await environment.client.get(PODS, pod))["status"])["podIP"]);
  if (!podIp) throw new Error(`pod ${pod.name} has no address`);
  for (const peerIp of await konductorIps(environment))
    await environment.cluster.node?.partition({ podIp, peerIp });
}

/** By which a keeper can reach konductor. */
async function konductorIps({ client }: Environment): Promise<string[]> {
  const namespace = SYSTEM_NAMESPACE;
  const service = record(await client.get(SERVICES, { namespace, name: SERVICE_NAME }));
  const pods = (await client.list(PODS, { namespace })).items.map(record);
  return [record(service["spec"])["clusterIP"], ...pods.map((pod) => record(pod["status"])["podIP"])]
    .map(text)
    .filter((ip) => ip !== undefined);
}
