import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import { waitFor } from "../cluster/wait.ts";

/** One `konductor serve` as a local process. */
export interface Replica {
  readonly identity: string;
  /** Resolves when the replica is ready; does nothing if it runs already. */
  start(): Promise<void>;
  /** SIGKILL; resolves when the replica is dead. */
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM; resolves when the replica has handed over its work and exited. */
  stop(): Promise<void>;
  log(): Promise<string>;
}

export interface ReplicaOptions {
  identity: string;
  /** `dist/konductor.js`. */
  programPath: string;
  flags: readonly string[];
  healthPort: number;
  logPath: string;
  /** The error of the replica's wall clock. */
  clockOffsetMs: number;
  /** See failpoint.ts. */
  failpointDir?: string | undefined;
}

/** The flags of a replica on loopback. */
export function replicaFlags(
  { port, healthPort }: { port: number; healthPort: number },
  { kubeconfigPath, image, gateUrl }: { kubeconfigPath: string; image: string; gateUrl: string },
): string[] {
  return [
    `--kubeconfig=${kubeconfigPath}`,
    `--namespace=${SYSTEM_NAMESPACE}`,
    `--image=${image}`,
    "--bind-address=127.0.0.1",
    `--secure-port=${port}`,
    `--health-port=${healthPort}`,
    `--gate-url=${gateUrl}`,
  ];
}

const SHIFTED_CLOCK = join(import.meta.dirname, "shifted-clock.ts");
const FAILPOINT = join(import.meta.dirname, "failpoint.ts");

export function createReplica({
  identity,
  programPath,
  flags,
  healthPort,
  logPath,
  clockOffsetMs,
  failpointDir,
}: ReplicaOptions): Replica {
  let child: ChildProcess | undefined;
  const isAlive = () => child !== undefined && child.exitCode === null && child.signalCode === null;

  function ready(started: ChildProcess | undefined): Promise<void> {
    return waitFor({
      what: `replica ${identity} to be ready (log: ${logPath})`,
      withinMs: 60_000,
      holds: async () => (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).ok,
      abort() {
        const end = started?.exitCode ?? started?.signalCode ?? undefined;
        if (end !== undefined) throw new Error(`replica ${identity} ended with ${end}: ${logPath}`);
      },
    });
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!child || !isAlive()) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  return {
    identity,
    async start() {
      if (isAlive()) return ready(child);
      const log = createWriteStream(logPath, { flags: "a" });
      const preloads = [
        ...(clockOffsetMs === 0 ? [] : [SHIFTED_CLOCK]),
        ...(failpointDir ? [FAILPOINT] : []),
      ];
      const args = [
        ...preloads.map((path) => `--import=${path}`),
        programPath,
        "serve",
        `--identity=${identity}`,
        ...flags,
      ];
      // The replica dies with the process that started it, however that ends.
      const started = spawn("setpriv", ["--pdeathsig", "KILL", process.execPath, ...args], {
        stdio: ["ignore", "pipe", "pipe"],
        env: { CLOCK_OFFSET_MS: String(clockOffsetMs), FAILPOINT_DIR: failpointDir },
      });
      started.stdout.pipe(log, { end: false });
      started.stderr.pipe(log, { end: false });
      child = started;
      await ready(started);
    },
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    signal: (signal) => void child?.kill(signal),
    log: () => readFile(logPath, "utf8").catch(() => ""),
  };
}
