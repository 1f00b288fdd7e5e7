import type { Command } from "commander";
import { formatDoneWork } from "../../lease/hold-codec.ts";
import { formatAge } from "../../shared/age.ts";
import { type CommandContext, isObjectOutput, type RunAction } from "../cli-context.ts";
import { formatName, formatObject } from "../format-object.ts";
import { printable } from "../printable.ts";
import { readLease } from "../read-lease.ts";
import { formatTable } from "../table.ts";

/** `koncli lease done NAME`: the work that is done under a klease. */
export function registerDone(lease: Command, run: RunAction): void {
  lease
    .command("done <name>")
    .description("list the work that is done under a klease and is not done again (--once), the latest first")
    .addHelpText("after", "\nExample:\n  koncli lease done schema")
    .action(async (name: string, _: object, command: Command) => {
      await run(command, (context) => showDone(context, name));
    });
}

async function showDone(context: CommandContext, name: string): Promise<void> {
  const { output, server, print } = context;
  const { lease } = await readLease(context, name);
  const { done = [] } = lease.status;
  if (isObjectOutput(output)) return print(formatObject(done.map(formatDoneWork), output));
  if (output === "name") return print(formatName("lease", name));
  if (done.length === 0) return print(`Under klease ${name} no work is done that would not be done again.\n`);
  const nowMs = server.nowMs();
  const rows = done.map(({ key, holder, token, timeMs }) => [
    key,
    printable(holder),
    new Date(timeMs).toISOString(),
    `${formatAge(nowMs - timeMs)} ago`,
    String(token),
  ]);
  print(formatTable(["KEY", "HOLDER", "DONE", "AGE", "TOKEN"], rows));
}
