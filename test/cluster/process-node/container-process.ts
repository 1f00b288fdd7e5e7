/**
 * The process of a container: it has a session of its own, writes its output to a log file, and takes its whole process tree with it when it ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { LogFile } from "./log-file.ts";
import { killGroup, signalInit } from "./process-group.ts";
import type { Reaper } from "./reaper/reaper.ts";

export interface ProcessSpec {
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface ContainerProcess {
  readonly pid: number;
  /** The process's exit code, 128 + n for signal n. Resolves once no process of its group is left and its output is in the log. */
  readonly exited: Promise<number>;
  /** Like a `kill` on the node of the container's first process, which may ignore the signal. */
  signal(signal: NodeJS.Signals): void;
  /** Runs a command beside the process, and ends the command with it. Resolves when the command has ended; rejects if it fails. */
  exec(command: readonly [string, ...string[]]): Promise<void>;
}

/** A process that has left the group may hold the output open for ever. */
const OUTPUT_DRAIN_MS = 500;

/** Resolves once the program runs; rejects if it cannot be executed. Closes the log when the program ends. */
export async function startProcess(
  spec: ProcessSpec,
  log: LogFile,
  reaper: Reaper,
): Promise<ContainerProcess> {
  const { child, pid } = await launch(spec, reaper);
  const closed = once(child, "close");
  if (child.stdout) log.capture(child.stdout, "stdout");
  if (child.stderr) log.capture(child.stderr, "stderr");
  const hooks = new Set<number>();
  const exited = exitCodeOf(child).then(async (exitCode) => {
    killGroup(pid);
    for (const hook of hooks) killGroup(hook);
    reaper.forget(pid);
    await Promise.race([closed, sleep(OUTPUT_DRAIN_MS, undefined, { ref: false })]);
    await log.close();
    return exitCode;
  });
  return {
    pid,
    exited,
    signal: (signal) => signalInit(pid, signal),
    async exec(command) {
      const hook = await launch({ ...spec, command }, reaper);
      hooks.add(hook.pid);
      hook.child.stdout?.resume();
      hook.child.stderr?.resume();
      const exitCode = await exitCodeOf(hook.child);
      hooks.delete(hook.pid);
      killGroup(hook.pid);
      reaper.forget(hook.pid);
      if (exitCode !== 0) throw new Error(`${command.join(" ")} exited ${exitCode}`);
    },
  };
}

async function launch(spec: ProcessSpec, reaper: Reaper): Promise<{ child: ChildProcess; pid: number }> {
  const [program, ...args] = spec.command;
  const child = spawn(program, args, {
    cwd: spec.cwd,
    env: spec.env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  await once(child, "spawn");
  const pid = child.pid ?? 0;
  reaper.watch(pid);
  return { child, pid };
}

async function exitCodeOf(child: ChildProcess): Promise<number> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode ?? 128 + (child.signalCode ? constants.signals[child.signalCode] : 0);
}
