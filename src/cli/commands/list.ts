import type { Command } from "commander";
import { LEASES } from "../../kube/resources.ts";
import { parseLease } from "../../lease/codec.ts";
import { type CommandContext, isObjectOutput, type RunAction } from "../cli-context.ts";
import { leaseTable } from "../describe-lease.ts";
import { formatList, formatName } from "../format-object.ts";

interface ListFlags {
  allNamespaces: boolean;
  selector?: string;
}

/** `koncli lease list`: every klease of the namespace, or of all. */
export function registerList(lease: Command, run: RunAction): void {
  lease
    .command("list")
    .alias("ls")
    .description("list kleases")
    .option("-A, --all-namespaces", "of all namespaces", false)
    .option("-l, --selector <query>", "only those whose labels match, as in app=report,tier!=test")
    .addHelpText("after", "\nExamples:\n  koncli lease list\n  koncli lease list --all-namespaces -o wide")
    .action(async (flags: ListFlags, command: Command) => {
      await run(command, (context) => listLeases(context, flags));
    });
}

async function listLeases(context: CommandContext, { allNamespaces, selector }: ListFlags): Promise<void> {
  const { cluster, output, server, print } = context;
  const { namespace, client } = cluster;
  const scope = allNamespaces ? {} : { namespace };
  const { items } = await client.list(LEASES, {
    ...scope,
    labelSelector: selector,
    onResponse: server.observe,
  });
  if (isObjectOutput(output)) return print(formatList(items, output));
  const leases = items.map(parseLease);
  if (output === "name") return print(leases.map(({ name }) => formatName("lease", name)).join(""));
  if (leases.length === 0) {
    return print(allNamespaces ? "No kleases found.\n" : `No kleases found in namespace ${namespace}.\n`);
  }
  print(leaseTable(leases, { nowMs: server.nowMs(), withNamespace: allNamespaces, wide: output === "wide" }));
}
