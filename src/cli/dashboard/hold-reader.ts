/** What the calls of the page read with, and the klease and hold that they are about. */
import type { KubeClient } from "../../kube/api.ts";
import { find } from "../../kube/find.ts";
import { LEASES } from "../../kube/resources.ts";
import type { ServerClock } from "../../kube/server-clock.ts";
import { parseLease } from "../../lease/codec.ts";
import { keyOf, type Lease, type LeaseRequest } from "../../lease/types.ts";
import { KonductorError } from "../../shared/errors.ts";
import type { HolderFacts } from "../why/facts.ts";
import { readHolderPods } from "../why/read-facts.ts";

export interface HoldReader {
  client: KubeClient;
  server: ServerClock;
  /** See {@link Picture.requestsOf}. */
  requestsOf(key: string): LeaseRequest[] | undefined;
}

/** Which klease. */
export interface LeaseName {
  namespace: string;
  lease: string;
}

/** The klease as the API server has it now. @throws KonductorError `NotFound` */
export async function readLive(
  { client }: HoldReader,
  { namespace, lease: name }: LeaseName,
): Promise<Lease> {
  const lease = await find(client, LEASES, { namespace, name }, parseLease);
  if (lease) return lease;
  throw new KonductorError("NotFound", `there is no klease ${name} in namespace ${namespace} any more`);
}

/** What the sentences about the present hold of `lease` need. */
export async function readHolderFacts(reader: HoldReader, lease: Lease): Promise<HolderFacts> {
  const { client, server, requestsOf } = reader;
  const { namespace } = lease;
  const requests = requestsOf(keyOf(lease));
  return {
    namespace,
    requests: requests
      ? { is: "known", value: requests }
      : { is: "unread", why: `you may not list LeaseRequests in ${namespace}` },
    holderPods: await readHolderPods({ client, namespace, server }, lease),
    nowMs: server.nowMs(),
  };
}
