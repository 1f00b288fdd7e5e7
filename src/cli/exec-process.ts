import { spawn } from "node:child_process";
import { constants } from "node:os";
import { kill } from "node:process";
import type { CliIo } from "./cli-context.ts";
import { printable } from "./printable.ts";
import { type GroupProcess, processesIn } from "./process-group.ts";

export interface ProcessOptions {
  /** The program and its arguments. */
  command: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** Aborts when the process must stop; it then has {@link graceMs} to be gone. */
  stop: AbortSignal;
  graceMs: number;
  io: Pick<CliIo, "clock" | "err" | "onExit">;
}

/** A command that runs. */
export interface RunningProcess {
  /** Sends a signal to the command and to what it has started. */
  pass(signal: NodeJS.Signals): void;
  /**
   * Resolves with the command's exit code once its whole process group has ended: a shell's code for a command that a signal ended, and
   * that of `env` for one that cannot be run.
   */
  readonly ended: Promise<number>;
}

const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

/** Growing delays between looks at what the command left running. */
const LOOK = { firstMs: 10, longestMs: 500 };
/** Processes that end within this time are not reported. */
const SAY_AFTER_MS = 1_000;
const SAY_EVERY_MS = 600_000;
const NAMED = 5;

/**
 * Runs a command in its own process group, with koncli's input and output. On `stop` the whole group gets SIGTERM, then SIGKILL after the
 * grace period or as soon as the command itself has ended. If koncli ends first, the group gets SIGKILL at once. Without `stop`, processes
 * that the command leaves in its group are waited for and named on stderr, not killed. If `stop` has aborted already, nothing is run and
 * its reason is thrown.
 *
 * Limits: the group is also a session, so a shell in it has no job control; processes that the command puts into another group are neither
 * stopped nor waited for, and those that run as another user cannot be stopped, which is said on stderr.
 */
export function runProcess({ command, env, stop, graceMs, io }: ProcessOptions): RunningProcess {
  stop.throwIfAborted();
  const [file = "", ...args] = command;
  const child = spawn(file, args, { stdio: "inherit", env: { ...env }, detached: true });
  const { promise, resolve } = Promise.withResolvers<number>();
  let isOver = false;
  let isKilled = false;
  /** Signals that its user may not send. */
  const denied = new Set<NodeJS.Signals>();

  function signalGroup(signal: NodeJS.Signals): void {
    // The group's number may have been reused by now.
    if (isOver) return;
    if (signal === "SIGKILL") isKilled = true;
    try {
      if (child.pid !== undefined) kill(-child.pid, signal);
    } catch (error) {
      // Otherwise the whole group has ended.
      if (isDenied(error) && !denied.has(signal)) tellDenied(signal);
    }
  }

  function tellDenied(signal: NodeJS.Signals): void {
    denied.add(signal);
    io.err(
      `error: ${signal} cannot be sent to the command, which runs as another user (sudo?), and goes on: stop it yourself, process group ${child.pid}\n`,
    );
  }

  const forget = io.onExit(() => signalGroup("SIGKILL"));
  let cancel = () => {};
  const end = (): void => {
    signalGroup("SIGTERM");
    cancel = io.clock.after(graceMs, () => signalGroup("SIGKILL"));
  };
  stop.addEventListener("abort", end, { once: true });

  /** Resolves when nothing of the group runs any more. */
  async function groupEnds(pgid: number): Promise<void> {
    let sayAtMs = io.clock.monotonicMs() + SAY_AFTER_MS;
    let delayMs = LOOK.firstMs;
    for (let left = processesIn(pgid); left === undefined || left.length > 0; left = processesIn(pgid)) {
      // A process may have been started while the others were being killed.
      if (isKilled) signalGroup("SIGKILL");
      if (io.clock.monotonicMs() >= sayAtMs) {
        io.err(`warning: the command has ended; waiting for what it left running: ${namesOf(left)}\n`);
        sayAtMs += SAY_EVERY_MS;
      }
      await io.clock.sleep(delayMs);
      delayMs = Math.min(2 * delayMs, LOOK.longestMs);
    }
  }

  child.once("error", (error: NodeJS.ErrnoException) => {
    if (child.pid !== undefined) return;
    const isMissing = error.code === "ENOENT";
    io.err(`error: cannot run ${file}: ${isMissing ? "there is no such command" : error.message}\n`);
    resolve(isMissing ? NOT_FOUND : NOT_EXECUTABLE);
  });
  child.once("exit", async (code, signal) => {
    if (stop.aborted) signalGroup("SIGKILL");
    if (child.pid !== undefined) await groupEnds(child.pid);
    resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
  });
  const ended = promise.finally(() => {
    isOver = true;
    cancel();
    forget();
    stop.removeEventListener("abort", end);
  });
  return { pass: signalGroup, ended };
}

const isDenied = (error: unknown) => error instanceof Error && "code" in error && error.code === "EPERM";

function namesOf(left: readonly GroupProcess[] | undefined): string {
  if (!left) return "processes that cannot be seen from here";
  const names = left
    .slice(0, NAMED)
    .map(({ pid, command, isStopped }) => `${pid} (${printable(command)}${isStopped ? ", stopped" : ""})`);
  return [...names, ...(left.length > NAMED ? [`and ${left.length - NAMED} more`] : [])].join(", ");
}
