import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "../cluster/wait.ts";

/** One `konductor serve` as a local process. */
export interface Replica {
  readonly identity: string;
  start(): Promise<void>;
  /** SIGKILL; resolves when it is dead. */
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  log(): Promise<string>;
}

export interface ReplicaOptions {
  identity: string;
  /** `dist/konductor.js`. */
  programPath: string;
  flags: readonly string[];
  healthPort: number;
  logPath: string;
  /** By how much its time of day is wrong. */
  clockOffsetMs: number;
}

const SHIFTED_CLOCK = join(import.meta.dirname, "shifted-clock.ts");

export function createReplica({
  identity,
  programPath,
  flags,
  healthPort,
  logPath,
  clockOffsetMs,
}: ReplicaOptions): Replica {
  let child: ChildProcess | undefined;
  return {
    identity,
    async start() {
      const log = createWriteStream(logPath, { flags: "a" });
      const shifted = clockOffsetMs === 0 ? [] : [`--import=${SHIFTED_CLOCK}`];
      const args = [...shifted, programPath, "serve", `--identity=${identity}`, ...flags];
      const started = spawn(process.execPath, args, {
        stdio: ["ignore", "pipe", "pipe"],
        env: { CLOCK_OFFSET_MS: String(clockOffsetMs) },
      });
      started.stdout.pipe(log, { end: false });
      started.stderr.pipe(log, { end: false });
      child = started;
      await waitFor({
        what: `replica ${identity} to be ready (log: ${logPath})`,
        withinMs: 60_000,
        holds: async () => (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).ok,
        abort() {
          if (started.exitCode !== null)
            throw new Error(`replica ${identity} ended with ${started.exitCode}: ${logPath}`);
        },
      });
    },
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
    signal: (signal) => void child?.kill(signal),
    log: () => readFile(logPath, "utf8").catch(() => ""),
  };
}
