import type { Command } from "commander";
import { LEASE_REQUESTS } from "../../kube/resources.ts";
import { parseLeaseRequest } from "../../lease/codec.ts";
import { describeTurns } from "../../lease/forecast.ts";
import { waitingInOrder } from "../../lease/order.ts";
import { heldBack } from "../../lease/policies/held-back.ts";
import type { Lease, LeaseRequest } from "../../lease/types.ts";
import { formatAge } from "../../shared/age.ts";
import { type CommandContext, isObjectOutput, type RunAction } from "../cli-context.ts";
import { formatList, formatName } from "../format-object.ts";
import { printable } from "../printable.ts";
import { readLease } from "../read-lease.ts";
import { formatTable } from "../table.ts";

/** `koncli lease queue NAME`: everybody who waits, in the order in which they are served. */
export function registerQueue(lease: Command, run: RunAction): void {
  lease
    .command("queue <name>")
    .description("list who waits for a klease, the next one first")
    .addHelpText("after", "\nExample:\n  koncli lease queue nightly-report")
    .action(async (name: string, _: object, command: Command) => {
      await run(command, (context) => showQueue(context, name));
    });
}

async function showQueue(context: CommandContext, name: string): Promise<void> {
  const { cluster, output, server, print } = context;
  const { namespace, client } = cluster;
  const { lease } = await readLease(context, name);
  const { items } = await client.list(LEASE_REQUESTS, { namespace, onResponse: server.observe });
  const byUid = new Map(items.map((object) => [parseLeaseRequest(object).uid, object]));
  const requests = [...byUid.values()].map(parseLeaseRequest).filter(({ spec }) => spec.lease === name);
  const waiting = waitingInOrder(lease, requests);
  if (isObjectOutput(output)) {
    return print(
      formatList(
        waiting.map(({ uid }) => byUid.get(uid)),
        output,
      ),
    );
  }
  if (output === "name") {
    return print(waiting.map((request) => formatName("leaserequest", request.name)).join(""));
  }
  const nowMs = server.nowMs();
  const rule = heldBack(lease, nowMs);
  if (rule)
    print(`${printable(`Klease ${name} is ${rule.why}${rule.undo ? `; to end that: ${rule.undo}` : ""}.`)}
`);
  if (waiting.length === 0) return print(`Nobody waits for klease ${name}.\n`);
  print(queueTable(lease, waiting, nowMs));
}

function queueTable(lease: Lease, waiting: readonly LeaseRequest[], nowMs: number): string {
  const headings = ["POSITION", "HOLDER", "KIND", "PRIORITY", "WAITING FOR", "TURN", "REQUESTED BY"];
  const turns = describeTurns(lease, waiting.length, nowMs);
  const rows = waiting.map(({ spec: { holder, ref, priority, requestedAtMs, requestedBy } }, index) => [
    String(index + 1),
    holder,
    ref?.kind ?? "Client",
    String(priority ?? lease.spec.priority),
    formatAge(nowMs - requestedAtMs),
    turns[index] ?? "unknown",
    requestedBy ?? "",
  ]);
  return formatTable(headings, rows);
}
