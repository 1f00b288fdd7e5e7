import { stringify } from "yaml";
import { LEASE_REQUESTS, LEASES, PODS } from "../kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../lease/codec.ts";
import { parsePod } from "../lease/pod.ts";
import type { Lease } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { hasCode, KonductorError } from "../shared/errors.ts";
import type { Cluster } from "./cluster.ts";
import { leaseStatusText, leaseTable } from "./describe-lease.ts";

export const OUTPUTS = ["text", "wide", "json", "yaml", "name"] as const;
export type Output = (typeof OUTPUTS)[number];

export interface CommandContext {
  cluster: Cluster;
  output: Output;
  clock: Clock;
  print(text: string): void;
}

/** `koncli lease list`: every klease of the namespace, or of all. */
export async function listLeases(
  context: CommandContext,
  { allNamespaces }: { allNamespaces: boolean },
): Promise<void> {
  const { cluster, output, clock, print } = context;
  const { namespace, client } = cluster;
  const { items } = await client.list(LEASES, allNamespaces ? {} : { namespace });
  if (output === "json" || output === "yaml") {
    return print(formatObject({ apiVersion: "v1", kind: "List", metadata: {}, items }, output));
  }
  const leases = items.map(parseLease);
  if (output === "name") return print(leases.map(({ name }) => `${LEASE_NAME_PREFIX}${name}\n`).join(""));
  if (leases.length === 0) {
    return print(allNamespaces ? "No kleases found.\n" : `No kleases found in namespace ${namespace}.\n`);
  }
  print(leaseTable(leases, { nowMs: clock.nowMs(), withNamespace: allNamespaces, wide: output === "wide" }));
}

/** `koncli lease status NAME`. Throws NotFound, which says how to see what there is. */
export async function showLease(context: CommandContext, name: string): Promise<void> {
  const { cluster, output, clock, print } = context;
  const { namespace, client } = cluster;
  const object = await client.get(LEASES, { namespace, name }).catch((error: unknown) => {
    if (!hasCode(error, "NotFound")) throw error;
    const message = `there is no klease "${name}" in namespace ${namespace}; koncli lease list shows what there is`;
    throw new KonductorError("NotFound", message, { cause: error });
  });
  const lease = parseLease(object);
  if (output === "json" || output === "yaml") return print(formatObject(object, output));
  if (output === "name") return print(`${LEASE_NAME_PREFIX}${lease.name}\n`);
  if (output === "wide") {
    return print(leaseTable([lease], { nowMs: clock.nowMs(), withNamespace: false, wide: true }));
  }
  // Not by label: a request that somebody applied by hand has none.
  const { items } = await client.list(LEASE_REQUESTS, { namespace }, parseLeaseRequest);
  const requests = items.filter(({ spec }) => spec.lease === name);
  const holderPod = await phaseOfHolder(cluster, lease);
  print(leaseStatusText(lease, requests, { nowMs: clock.nowMs(), holderPod }));
}

const LEASE_NAME_PREFIX = "lease.konductor.io/";

async function phaseOfHolder({ client }: Cluster, { namespace, status }: Lease): Promise<string | undefined> {
  const ref = status.hold?.ref;
  if (ref?.kind !== "Pod") return undefined;
  try {
    const pod = await client.get(PODS, { namespace, name: ref.name }, parsePod);
    if (pod.uid !== ref.uid) return "is gone";
    return pod.deletionMs === undefined ? pod.phase : "is terminating";
  } catch (error) {
    if (hasCode(error, "NotFound")) return "is gone";
    // Not everybody who may see Leases may see pods.
    if (hasCode(error, "Forbidden")) return undefined;
    throw error;
  }
}

function formatObject(object: unknown, output: "json" | "yaml"): string {
  return output === "json" ? `${JSON.stringify(object, null, 4)}\n` : stringify(object);
}
