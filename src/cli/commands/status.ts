import type { Command } from "commander";
import { LEASE_REQUESTS, PODS } from "../../kube/resources.ts";
import { parseLeaseRequest } from "../../lease/codec.ts";
import { parsePod } from "../../lease/pod.ts";
import type { Lease } from "../../lease/types.ts";
import { hasCode } from "../../shared/errors.ts";
import { type CommandContext, isObjectOutput, type RunAction } from "../cli-context.ts";
import { headOf, leaseStatusText, leaseTable } from "../describe-lease.ts";
import { formatName, formatObject } from "../format-object.ts";
import { readLease } from "../read-lease.ts";

/** `koncli lease status NAME`. */
export function registerStatus(lease: Command, run: RunAction): void {
  lease
    .command("status <name>")
    .description("show who holds a klease, since when, until when, and who waits")
    .addHelpText(
      "after",
      "\nExamples:\n  koncli lease status nightly-report\n  koncli lease status nightly-report -o json",
    )
    .action(async (name: string, _: object, command: Command) => {
      await run(command, (context) => showLease(context, name));
    });
}

async function showLease(context: CommandContext, name: string): Promise<void> {
  const { cluster, output, server, print } = context;
  const { namespace, client } = cluster;
  const { object, lease } = await readLease(context, name);
  if (isObjectOutput(output)) return print(formatObject(object, output));
  if (output === "name") return print(formatName("lease", lease.name));
  if (output === "wide") {
    return print(leaseTable([lease], { nowMs: server.nowMs(), withNamespace: false, wide: true }));
  }
  // Not by label: a request created before konductor was installed has none.
  const { items } = await client.list(LEASE_REQUESTS, { namespace }, parseLeaseRequest);
  const requests = items.filter(({ spec }) => spec.lease === name);
  const holderNote = await noteOfHolder(context, lease);
  print(leaseStatusText(lease, requests, { nowMs: server.nowMs(), holderNote }));
}

/** What is known of the holder beside its name; nothing of a client. */
async function noteOfHolder(context: CommandContext, lease: Lease): Promise<string | undefined> {
  const { ref, pods = [] } = lease.status.hold ?? {};
  switch (ref?.kind) {
    case "Pod":
      return `pod ${await phaseOfPod(context, { ...ref, namespace: lease.namespace })}`;
    case "Job":
      return `Job; pods: ${pods.length === 0 ? "none yet" : headOf(pods.map(({ name }) => name))}`;
    default:
      return undefined;
  }
}

async function phaseOfPod(
  { cluster: { client } }: CommandContext,
  { namespace, name, uid }: { namespace: string; name: string; uid: string },
): Promise<string> {
  try {
    const pod = await client.get(PODS, { namespace, name }, parsePod);
    if (pod.uid !== uid) return "is gone";
    return pod.deletionMs === undefined ? pod.phase : "is terminating";
  } catch (error) {
    if (hasCode(error, "NotFound")) return "is gone";
    // Not everybody who may see Leases may see pods.
    if (hasCode(error, "Forbidden")) return "not shown: you may not get pods";
    throw error;
  }
}
