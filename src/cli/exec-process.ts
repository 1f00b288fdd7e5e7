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
  /** Aborts when the process has to be gone after {@link graceMs}. */
  stop: AbortSignal;
  graceMs: number;
  io: Pick<CliIo, "clock" | "err" | "onExit">;
}

/** A command that runs. */
export interface RunningProcess {
  /** Sends a signal to the command and to what it has started. */
  pass(signal: NodeJS.Signals): void;
  /**
   * Resolves when the command and all of its process group have ended, with the command's exit code: as a shell has it for one that a signal
   * ended, and as `env` has it for one that cannot be run.
   */
  readonly ended: Promise<number>;
}

const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

/** What the command left running is looked at with growing delays. */
const LOOK = { firstMs: 10, longestMs: 500 };
/** What has ended within a moment is not worth a word. */
const SAY_AFTER_MS = 1_000;
const SAY_EVERY_MS = 600_000;
const NAMED = 5;

/**
 * Runs a command in a process group of its own, with our input and output. On `stop` the whole group gets SIGTERM, and SIGKILL after the
 * grace period, or when the command itself has ended; SIGKILL at once if koncli ends before it. Without `stop`, what the command leaves running
 * in its group is waited for, named on stderr, and not killed. Throws the reason of a `stop` that has aborted already: then nothing is
 * run.
 *
 * Limits: the group is also a session, so a shell in it has no job control; what the command puts into another group is neither stopped
 * nor waited for; what runs as another user cannot be stopped, which is said on stderr.
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
    // Its number may be another group's by now.
    if (isOver) return;
    if (signal === "SIGKILL") isKilled = true;
    try {
      if (child.pid !== undefined) kill(-child.pid, signal);
    } catch (error) {
      // Else all of it has ended.
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
