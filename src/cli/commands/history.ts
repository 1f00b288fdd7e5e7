import type { Command } from "commander";
import { formatAge } from "../../shared/age.ts";
import { list, record } from "../../shared/json.ts";
import { type CommandContext, isObjectOutput, type RunAction } from "../cli-context.ts";
import { formatName, formatObject } from "../format-object.ts";
import { readLease } from "../read-lease.ts";
import { formatTable } from "../table.ts";

/** `koncli lease history NAME`: the last holds that are over. */
export function registerHistory(lease: Command, run: RunAction): void {
  lease
    .command("history <name>")
    .description("list the last 10 holds of a klease that are over, the latest first")
    .addHelpText("after", "\nExample:\n  koncli lease history nightly-report")
    .action(async (name: string, _: object, command: Command) => {
      await run(command, (context) => showHistory(context, name));
    });
}

async function showHistory(context: CommandContext, name: string): Promise<void> {
  const { output, server, print } = context;
  const { object, lease } = await readLease(context, name);
  if (isObjectOutput(output)) {
    return print(formatObject(list(record(record(object)["status"])["history"]), output));
  }
  if (output === "name") return print(formatName("lease", name));
  const { history } = lease.status;
  if (history.length === 0) return print(`No hold of klease ${name} is over yet.\n`);
  const nowMs = server.nowMs();
  const rows = history.map(({ holder, acquiredMs, endedMs, reason, by, token }) => [
    holder,
    new Date(acquiredMs).toISOString(),
    formatAge(endedMs - acquiredMs),
    `${formatAge(nowMs - endedMs)} ago`,
    reason,
    by ?? "",
    String(token),
  ]);
  print(formatTable(["HOLDER", "ACQUIRED", "HELD FOR", "ENDED", "REASON", "BY", "TOKEN"], rows));
}
