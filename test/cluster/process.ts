import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { waitFor } from "./wait.ts";

export interface ProcessSpec {
  readonly name: string;
  /** The command line; its first word is the program. */
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logPath: string;
  /** Whether the process is ready. A rejection counts as no. */
  ready(): Promise<boolean>;
}

/** A process that can be killed, started again with the same command line, paused and resumed. */
export interface ManagedProcess {
  readonly pid: number | undefined;
  /** Returns when the process is ready. Rejects with the end of its log if it exits before. */
  start(): Promise<void>;
  /** SIGKILL: a graceful API server would wait a minute for its watchers. Returns when the process is gone. */
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
}

const READY_WITHIN_MS = 60_000;

export function managedProcess(spec: ProcessSpec): ManagedProcess {
  let child: ChildProcess | undefined;
  const running = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  return {
    get pid() {
      return running() ? child?.pid : undefined;
    },
    async start() {
      if (running()) throw new Error(`${spec.name} runs already (pid ${child?.pid})`);
      child = await launch(spec);
      await waitFor({
        what: `${spec.name} to become ready (log: ${spec.logPath})`,
        withinMs: READY_WITHIN_MS,
        holds: spec.ready,
        async abort() {
          if (!running()) throw new Error(`${spec.name} exited:\n${await tail(spec.logPath)}`);
        },
      });
    },
    async kill() {
      if (!child || !running()) return;
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    },
    pause() {
      child?.kill("SIGSTOP");
    },
    resume() {
      child?.kill("SIGCONT");
    },
  };
}

/** Starts the process in a process group of its own, so that Ctrl-C reaches the owner alone. */
async function launch({ command, cwd, env, logPath }: ProcessSpec): Promise<ChildProcess> {
  const [program = "", ...args] = command;
  const log = await open(logPath, "a");
  try {
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ["ignore", log.fd, log.fd] });
    await once(child, "spawn");
    return child;
  } finally {
    await log.close();
  }
}

async function tail(path: string): Promise<string> {
  return (await readFile(path, "utf8")).trimEnd().split("\n").slice(-8).join("\n");
}
