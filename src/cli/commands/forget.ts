import type { Command } from "commander";
import type { CommandContext, RunAction } from "../cli-context.ts";
import { onceKey } from "../flags.ts";
import { leaseClientOf, printOutcome } from "../lease-client.ts";

/** `koncli lease forget NAME KEY`. */
export function registerForget(lease: Command, run: RunAction): void {
  const command = lease
    .command("forget <name> <key>")
    .description("have a klease forget that work is done, so that it is done again when next asked for")
    .addHelpText("after", "\nExample:\n  koncli lease forget schema v42")
    .action(async (name: string, key: string, _: object, invoked: Command) => {
      await run(invoked, (context) => forget(context, name, key));
    });
  command.registeredArguments[1]?.argParser(onceKey);
}

async function forget(context: CommandContext, name: string, key: string): Promise<void> {
  const work = await leaseClientOf(context).forget({ lease: name, key });
  const outcome = work
    ? `klease ${name} has forgotten "${key}", done by ${work.holder} under token ${work.token}: it is done again when next asked for`
    : `klease ${name} remembers no work "${key}": there is nothing to forget`;
  await printOutcome(context, name, outcome);
}
