import type { Command } from "commander";
import { type RunOptions, runUnderLease, type WorkHold } from "../../client/run-under-lease.ts";
import { processHolder } from "../../client/with-lease.ts";
import type { Lease } from "../../lease/types.ts";
import { hasCode, KonductorError } from "../../shared/errors.ts";
import { defined } from "../../shared/json.ts";
import { isoTime } from "../../shared/times.ts";
import { type AcquireFlags, addAcquireFlags, readAcquireFlags } from "../acquire-flags.ts";
import type { CommandContext, RunAction } from "../cli-context.ts";
import { type RunningProcess, runProcess } from "../exec-process.ts";
import { CLI_EXIT } from "../failure.ts";
import { graceMs, onceKey } from "../flags.ts";
import { holdsAround, refuseHoldAround } from "../holds-around.ts";
import { leaseClientOf } from "../lease-client.ts";
import { STOPPING } from "../passed-signals.ts";
import { printable } from "../printable.ts";
import { showWaiting } from "../waiting-line.ts";

type ExecFlags = AcquireFlags & { grace?: number; once?: string };

/**
 * `koncli lease exec NAME -- COMMAND...`: the command runs only while koncli holds the klease. It gets koncli's signals. koncli ends with
 * the command's exit code once the whole process group has ended. When the klease is lost, the group is stopped before the ttl is over, and
 * koncli ends with 1.
 *
 * Limit: if koncli itself is killed by SIGKILL, or stands still by SIGSTOP, the command goes on and nobody renews: after the ttl another holder
 * may be granted beside it. KONDUCTOR_TOKEN is the remedy.
 */
export function registerExec(lease: Command, run: RunAction): void {
  const command = lease
    .command("exec <name> <command...>")
    .usage("[options] <name> -- <command...>")
    .description("run a command while holding a klease, which is renewed meanwhile and released at its end");
  addAcquireFlags(command, "the host name and some letters, so that two on one host take turns")
    .option(
      "--grace <duration>",
      "if the klease is lost, how long the command has from SIGTERM to SIGKILL (default: 10s, or a third of a shorter ttl)",
      graceMs,
    )
    .option(
      "--once <key>",
      "do this work once: if it has succeeded under the klease with this key, end with 0 at once and run nothing",
      onceKey,
    )
    .addHelpText(
      "after",
      "\nThe command finds its fencing token in KONDUCTOR_TOKEN, and in KONDUCTOR_EXPIRES until when it holds at least. Ends with the " +
        "command's exit code; with 1 if the klease is held by somebody else, or was lost; with 2 if it cannot be asked for. Without --wait " +
        "there is one try.\n" +
        "\nExamples:\n" +
        "  koncli lease exec nightly-report -- generate-report --all\n" +
        "  koncli lease exec db-migration --wait --timeout 5m -- ./migrate.sh\n" +
        "  koncli lease exec schema --once v42 --wait --timeout=-1s -- ./migrate.sh",
    )
    .action(async (name: string, words: string[], flags: ExecFlags, invoked: Command) => {
      requireDashes(words, invoked);
      const wish = {
        ...readAcquireFlags(flags),
        ...defined({ graceMs: flags.grace, once: flags.once }),
        lease: name,
      };
      await run(invoked, (context) => exec(context, words, { ...wish, holder: flags.holder }));
    });
}

/** Without the dashes koncli would take the command's flags as its own. */
function requireDashes(words: readonly string[], command: Command): void {
  let root: Command & { rawArgs?: string[] } = command;
  while (root.parent) root = root.parent;
  const raw = root.rawArgs ?? [];
  if (raw.includes("--") && raw.slice(raw.indexOf("--") + 1).length === words.length) return;
  throw new KonductorError(
    "BadRequest",
    `"--" has to stand before the command, as in: koncli lease exec NAME -- ${words.join(" ")}`,
  );
}

type Options = Omit<RunOptions, "holder"> & { holder: string | undefined };

async function exec(
  context: CommandContext,
  command: readonly string[],
  { holder, ...wish }: Options,
): Promise<number> {
  const { io } = context;
  const client = leaseClientOf(context);
  const waiting = showWaiting(context, client, wish);
  let process: RunningProcess | undefined;
  let unhear = () => {};
  let isToldToStop = false;

  async function work(hold: WorkHold): Promise<number> {
    waiting.end();
    unhear = io.onSignal((signal) => {
      isToldToStop ||= STOPPING.includes(signal);
      process?.pass(signal);
    });
    if (io.signal.aborted)
      throw new KonductorError("Withdrawn", `klease ${wish.lease} was given back: koncli was told to stop`);
    const env = {
      ...io.env,
      ...holdsAround(io.env, { namespace: client.namespace, lease: wish.lease, token: hold.token }),
      KONDUCTOR_TOKEN: String(hold.token),
      KONDUCTOR_EXPIRES: isoTime(hold.expiresMs),
    };
    process = runProcess({ command, env, stop: hold.signal, graceMs: hold.graceMs, io });
    return process.ended;
  }

  try {
    const options = {
      ...wish,
      holder: holder ?? processHolder(io.hostname),
      signal: io.signal,
      onLease: (lease: Lease) => refuseHoldAround(lease, io.env),
      onWaiting: waiting.show,
      onTrouble: (message: string) => io.err(`warning: ${message}\n`),
    };
    return await runUnderLease(client, options, work, (code) => code === 0 && !isToldToStop);
  } catch (error) {
    if (!hasCode(error, "AlreadyDone")) throw error;
    io.err(`${printable(error.message)}; the command is not run\n`);
    return CLI_EXIT.yes;
  } finally {
    waiting.end();
    unhear();
  }
}
