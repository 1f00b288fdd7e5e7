import type { KubeClient } from "../../kube/api.ts";
import { SERVICES } from "../../kube/resources.ts";
import { KonductorError } from "../../shared/errors.ts";
import { list, record, text } from "../../shared/json.ts";
import { SERVICE_NAME } from "../../shared/names.ts";

/** Where gates and keepers reach konductor. They have no cluster DNS to rely on, so it is an address. */
export interface GateAddress {
  readonly url: string;
  /** Asks the API server again: a Service that was re-created has another ClusterIP. */
  refresh(): Promise<void>;
}

/** DNS names in the serving certificate; gates check the first. */
export function serviceNames(namespace: string): string[] {
  const service = `${SERVICE_NAME}.${namespace}`;
  return [`${service}.svc`, service, `${service}.svc.cluster.local`];
}

/** The ClusterIP of our Service, or `fixedUrl` where the admin gave one. */
export async function findGateAddress(
  client: KubeClient,
  namespace: string,
  fixedUrl: string | undefined,
): Promise<GateAddress> {
  let url = fixedUrl ?? (await serviceUrl(client, namespace));
  return {
    get url() {
      return url;
    },
    async refresh() {
      url = fixedUrl ?? (await serviceUrl(client, namespace));
    },
  };
}

async function serviceUrl(client: KubeClient, namespace: string): Promise<string> {
  const service = record(await client.get(SERVICES, { namespace, name: SERVICE_NAME }));
  const spec = record(service["spec"]);
  const address = text(spec["clusterIP"]);
  const port = list(spec["ports"])
    .map(record)
    .find(({ name }) => name === "https")?.["port"];
  if (!address || address === "None" || typeof port !== "number") {
    throw new KonductorError(
      "NotReady",
      `Service ${namespace}/${SERVICE_NAME} has no ClusterIP or no port named https; apply konductor's manifests again`,
    );
  }
  return `https://${address.includes(":") ? `[${address}]` : address}:${port}`;
}
