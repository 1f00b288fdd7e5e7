import { spawn } from "node:child_process";
import { constants } from "node:os";
import { kill } from "node:process";
import type { CliIo } from "./context.ts";

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
  /** Resolves with its exit code: as a shell has it for one that a signal ended, and as `env` has it for one that cannot be run. */
  readonly ended: Promise<number>;
}

const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

/**
 * Runs a command in a process group of its own, with our input and output. On `stop` the whole group gets SIGTERM, and SIGKILL after the
 * grace period, or when the command itself has ended; SIGKILL at once if koncli ends before it. Throws the reason of a `stop` that has
 * aborted already: then nothing is run.
 *
 * Limits: the group is also a session, so a shell in it has no job control; what the command puts into another group, or leaves
 * running when it ends by itself, is not stopped.
 */
export function runProcess({ command, env, stop, graceMs, io }: ProcessOptions): RunningProcess {
  stop.throwIfAborted();
  const [file = "", ...args] = command;
  const child = spawn(file, args, { stdio: "inherit", env: { ...env }, detached: true });
  const { promise, resolve } = Promise.withResolvers<number>();

  function signalGroup(signal: NodeJS.Signals): void {
    try {
      if (child.pid !== undefined) kill(-child.pid, signal);
    } catch {
      // All of it has ended.
    }
  }

  const forget = io.onExit(() => signalGroup("SIGKILL"));
  let cancel = () => {};
  const end = (): void => {
    signalGroup("SIGTERM");
    cancel = io.clock.after(graceMs, () => signalGroup("SIGKILL"));
  };
  stop.addEventListener("abort", end, { once: true });

  child.once("error", (error: NodeJS.ErrnoException) => {
    if (child.pid !== undefined) return;
    const isMissing = error.code === "ENOENT";
    io.err(`error: cannot run ${file}: ${isMissing ? "there is no such command" : error.message}\n`);
    resolve(isMissing ? NOT_FOUND : NOT_EXECUTABLE);
  });
  child.once("exit", (code, signal) => {
    if (stop.aborted) signalGroup("SIGKILL");
    resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
  });
  const ended = promise.finally(() => {
    cancel();
    forget();
    stop.removeEventListener("abort", end);
  });
  return { pass: signalGroup, ended };
}
