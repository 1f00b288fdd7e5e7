import type { Command } from "commander";
import { KonductorError } from "../../shared/errors.ts";
import type { CommandContext, RunAction } from "../cli-context.ts";
import { describeForced } from "../describe-forced.ts";
import { fencingToken, holder } from "../flags.ts";
import { leaseClientOf, printOutcome } from "../lease-client.ts";

interface ReleaseFlags {
  holder?: string;
  force: boolean;
  token?: number;
  now: boolean;
}

/** `koncli lease release NAME`. */
export function registerRelease(lease: Command, run: RunAction): void {
  lease
    .command("release <name>")
    .description("release a klease that one holds, or take it from whoever does")
    .option("--holder <name>", "who holds it (default: the host name)", holder)
    .option(
      "--force",
      "take it from its holder, whoever that is; a pod that still runs is ended first",
      false,
    )
    .option(
      "--token <number>",
      "with --force: only the hold with this fencing token, as koncli lease why and status name it",
      fencingToken,
    )
    .option("--now", "with --force: without waiting for proof that the holder has ended", false)
    .addHelpText(
      "after",
      "\nExamples:\n  koncli lease release db-migration --holder $HOSTNAME\n  koncli lease release db-migration --force\n  koncli lease release db-migration --force --token 1796024321860",
    )
    .action(async (name: string, flags: ReleaseFlags, command: Command) => {
      requireSense(flags);
      await run(command, (context) => release(context, name, flags));
    });
}

function requireSense({ holder: who, force, token, now }: ReleaseFlags): void {
  if (now && !force) throw new KonductorError("BadRequest", "--now is allowed with --force only");
  if (token !== undefined && !force)
    throw new KonductorError("BadRequest", "--token is allowed with --force only");
  if (!force || who === undefined) return;
  const message = "--force takes a klease from whoever holds it: leave --holder out, or --force";
  throw new KonductorError("BadRequest", message);
}

async function release(context: CommandContext, name: string, flags: ReleaseFlags): Promise<void> {
  const { io } = context;
  const client = leaseClientOf(context);
  const { signal } = io;
  const { force, now, token } = flags;
  if (force) {
    const released = await client.forceRelease({ lease: name, now, token, signal });
    return printOutcome(context, name, describeForced(name, released));
  }
  const who = flags.holder ?? io.hostname;
  const { isOver } = await client.release({ lease: name, holder: who, signal });
  if (!isOver) io.err(`warning: konductor does not answer; klease ${name} is free when it does\n`);
  await printOutcome(context, name, `klease ${name} released by ${who}`);
}
