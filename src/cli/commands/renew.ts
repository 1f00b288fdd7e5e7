import type { Command } from "commander";
import type { CommandContext, RunAction } from "../cli-context.ts";
import { holder } from "../flags.ts";
import { leaseClientOf, printOutcome } from "../lease-client.ts";
import { describe } from "./acquire.ts";

/** `koncli lease renew NAME`. */
export function registerRenew(lease: Command, run: RunAction): void {
  lease
    .command("renew <name>")
    .description("renew a klease that one holds; ends with 1 if it is not held any more, or not renewable")
    .option("--holder <name>", "who holds it (default: the host name)", holder)
    .addHelpText("after", "\nExample:\n  koncli lease renew db-migration --holder $HOSTNAME")
    .action(async (name: string, flags: { holder?: string }, command: Command) => {
      await run(command, (context) => renew(context, name, flags));
    });
}

async function renew(context: CommandContext, name: string, flags: { holder?: string }): Promise<void> {
  const { io } = context;
  const hold = await leaseClientOf(context).renew({
    lease: name,
    holder: flags.holder ?? io.hostname,
    signal: io.signal,
  });
  await printOutcome(context, name, `klease ${name} renewed by ${describe(hold)}`);
}
