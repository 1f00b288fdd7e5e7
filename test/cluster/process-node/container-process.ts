/** The process of a container: in a session of its own, its output in a log file, its whole tree ended with its first process. */
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
  /** Its exit code, 128 + n for signal n, once no process of its group is left and its output is in the log. */
  readonly exited: Promise<number>;
  /** As `kill` on the node would signal the container's first process: it may not notice. */
  signal(signal: NodeJS.Signals): void;
  /** Runs a command beside it, ended with it. Resolves when it has ended; rejects when it fails. */
  exec(command: readonly [string, ...string[]]): Promise<void>;
}

/** A process that left the group may hold the output open for ever. */
const OUTPUT_DRAIN_MS = 500;

/** Resolves when the program runs; rejects when it cannot be executed. Closes the log when it ends. */
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
