import { type Command, Option } from "commander";
import { listAll } from "../../kube/list-pages.ts";
import { LEASE_REQUESTS, LEASES } from "../../kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../lease/codec.ts";
import { isWaiting } from "../../lease/order.ts";
import { type CommandContext, isObjectOutput, type RunAction } from "../cli-context.ts";
import { formatName, formatObject } from "../format-object.ts";
import { formatTop, SORT_KEYS, type SortKey, topLease, topObject, topRows } from "../top-rows.ts";

interface TopFlags {
  allNamespaces: boolean;
  selector?: string;
  fieldSelector?: string;
  sortBy: SortKey;
  headers: boolean;
  sum: boolean;
}

/** `koncli lease top`: for what others wait longest. It takes the flags of `kubectl top pod` that are not about containers. */
export function registerTop(lease: Command, run: RunAction): void {
  lease
    .command("top")
    .argument("[name]", "only this klease")
    .description("list kleases by how long others have waited for them")
    .option("-A, --all-namespaces", "of all namespaces", false)
    .option("-l, --selector <query>", "only those whose labels match, as in app=report,tier!=test")
    .option("--field-selector <query>", "only those whose fields match, as in metadata.name=report")
    .addOption(
      new Option("--sort-by <key>", "the longest wait, the most waiters or the longest hold comes first")
        .choices(SORT_KEYS)
        .default("wait"),
    )
    .option("--no-headers", "without headings")
    .option("--sum", "with a last line: how many wait in all", false)
    .addOption(new Option("--use-protocol-buffers [bool]", "of kubectl top; changes nothing").hideHelp())
    .addHelpText("after", "\nExamples:\n  koncli lease top\n  koncli lease top -A --sort-by waiters")
    .action(async (name: string | undefined, flags: TopFlags, command: Command) => {
      await run(command, (context) => showTop(context, name, flags));
    });
}

async function showTop(context: CommandContext, name: string | undefined, flags: TopFlags): Promise<void> {
  const { cluster, output, server, print } = context;
  const { client, namespace } = cluster;
  const { allNamespaces, selector: labelSelector, sortBy, headers, sum } = flags;
  const scope = { ...(!allNamespaces && { namespace }), onResponse: server.observe };
  const byName = name === undefined ? undefined : `metadata.name=${name}`;
  const fieldSelector =
    [flags.fieldSelector, byName].filter((each) => each !== undefined).join(",") || undefined;
  const [leases, requests] = await Promise.all([
    listAll(client, LEASES, { ...scope, labelSelector, fieldSelector }, (object) =>
      topLease(parseLease(object)),
    ),
    // Not by label: a request created before konductor was installed has none.
    listAll(client, LEASE_REQUESTS, scope, (object) => {
      const request = parseLeaseRequest(object);
      return isWaiting(request) ? [request] : [];
    }),
  ]);
  const rows = topRows(leases, requests.flat(), sortBy);
  if (isObjectOutput(output)) return print(formatObject(rows.map(topObject), output));
  if (output === "name") return print(rows.map((row) => formatName("lease", row.name)).join(""));
  if (rows.length === 0) {
    return print(allNamespaces ? "No kleases found.\n" : `No kleases found in namespace ${namespace}.\n`);
  }
  print(formatTop(rows, { nowMs: server.nowMs(), headings: headers, sum }));
}
