/** What orders and previews of a release read with, and the klease that they are about. */
import type { KubeClient } from "../../kube/api.ts";
import { find } from "../../kube/find.ts";
import { LEASES } from "../../kube/resources.ts";
import type { ServerClock } from "../../kube/server-clock.ts";
import { parseLease } from "../../lease/codec.ts";
import { keyOf, type Lease, type LeaseRequest } from "../../lease/types.ts";
import { KonductorError } from "../../shared/errors.ts";
import { forbidden } from "../known.ts";
import type { HolderFacts } from "../why/facts.ts";
import { readHolderPods } from "../why/read-facts.ts";

export interface HoldReader {
  client: KubeClient;
  server: ServerClock;
  /** See {@link Picture.requestsOf}. */
  requestsOf(key: string): LeaseRequest[] | undefined;
  /** Ends what is read. */
  signal: AbortSignal;
}

/** Which klease. */
export interface LeaseName {
  namespace: string;
  lease: string;
}

/** The klease as the API server has it now. @throws KonductorError `NotFound` */
export async function readLive(
  { client, signal }: HoldReader,
  { namespace, lease: name }: LeaseName,
): Promise<Lease> {
  const lease = await find(client, LEASES, { namespace, name }, parseLease, { signal });
  if (lease) return lease;
  throw new KonductorError("NotFound", `there is no klease ${name} in namespace ${namespace} any more`);
}

/** What the sentences about the present hold of `lease` need. */
export async function readHolderFacts(reader: HoldReader, lease: Lease): Promise<HolderFacts> {
  const { client, server, signal } = reader;
  const { namespace } = lease;
  return {
    namespace,
    requests: knownRequests(reader, lease),
    holderPods: await readHolderPods({ client, namespace, server, signal }, lease),
    nowMs: server.nowMs(),
  };
}

/** The requests for `lease`. */
export function knownRequests(
  { requestsOf }: Pick<HoldReader, "requestsOf">,
  lease: Lease,
): HolderFacts["requests"] {
  const value = requestsOf(keyOf(lease));
  return value ? { is: "known", value } : forbidden("list LeaseRequests", lease.namespace);
}
