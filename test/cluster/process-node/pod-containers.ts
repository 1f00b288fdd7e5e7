/** The processes of one pod: starts them, records how they ended, gives access to their logs. Makes no decisions. */
import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../../src/shared/clock.ts";
import { describeError } from "../../../src/shared/errors.ts";
import { type CommandPaths, commandLine, hostCommand } from "./command-line.ts";
import { type ContainerProcess, startProcess } from "./container-process.ts";
import { containerEnv, type PodAddresses } from "./environment.ts";
import { type LogFile, openLogFile } from "./log-file.ts";
import type { Container, Hook, Pod } from "./pod.ts";
import type { Reaper } from "./reaper/reaper.ts";
import type { ContainerRuns, PodRuns, RunningRun } from "./runs.ts";
import type { Stoppable } from "./termination.ts";
import { readTerminationMessage } from "./termination-message.ts";
import { containerRoot, type PodVolumes } from "./volumes.ts";

export interface PodContainersOptions {
  /** The pod's folder. */
  readonly dir: string;
  readonly clock: Clock;
  readonly reaper: Reaper;
  readonly paths: CommandPaths;
  /** PATH of the processes. */
  readonly searchPath: string;
  /** Variables that override the pod's own in a container, by the names of the volumes that it mounts. */
  readonly volumeEnv: VolumeEnv;
  /** The variable that names a container's termination log: /dev/termination-log cannot be mounted. */
  readonly terminationLogEnv: string;
  /** Called when a container has ended. */
  changed(): void;
}

/** For a container that mounts a volume of that name: maps the volume's folder to variables. */
export type VolumeEnv = Readonly<Record<string, (path: string) => Readonly<Record<string, string>>>>;

export interface PodContainers {
  runs(): PodRuns;
  /**
   * Starts a container. A program that cannot be executed counts as a run that ended at once, as with a real runtime.
   * Throws ContainerConfigError if the spec asks for something that the process node cannot provide.
   */
  start(pod: Pod, container: Container, volumes: PodVolumes, addresses: PodAddresses): Promise<void>;
  running(): readonly RunningContainer[];
  /** The log of the latest run, or of the previous one. */
  log(name: string, previous: boolean): LogFile | undefined;
  /** Ends all containers at once and for good. */
  stop(): Promise<void>;
}

export interface RunningContainer extends Stoppable {
  readonly pid: number;
  signal(signal: NodeJS.Signals): void;
}

export function podContainers(options: PodContainersOptions): PodContainers {
  const { dir, clock } = options;
  const runs = new Map<string, ContainerRuns>();
  const running = new Map<string, RunningContainer>();
  const logs = new Map<string, LogFile[]>();
  let stopped = false;

  function beginRun(name: string): RunningRun {
    const before = runs.get(name)?.latest;
    return {
      state: "running",
      id: `process://${randomUUID()}`,
      attempt: before ? before.attempt + 1 : 0,
      startedAtMs: clock.nowMs(),
    };
  }

  function record(name: string, latest: ContainerRuns["latest"], before: ContainerRuns | undefined): void {
    const previous = before?.latest.state === "exited" ? before.latest : before?.previous;
    runs.set(name, previous ? { latest, previous } : { latest });
  }

  return {
    runs: () => runs,
    running: () => [...running.values()],
    log: (name, previous) => logs.get(name)?.at(previous ? -2 : -1),

    async start(pod, container, volumes, addresses) {
      if (stopped) return;
      const { name } = container;
      const before = runs.get(name);
      const run = beginRun(name);
      const terminationLog = join(dir, "termination", name, String(run.attempt));
      const base = {
        PATH: options.searchPath,
        HOSTNAME: pod.name,
        HOME: "/",
        [options.terminationLogEnv]: terminationLog,
      };
      const env = {
        ...containerEnv(pod, container, addresses, base),
        ...volumeVariables(container, volumes, options.volumeEnv),
      };
      const command = commandLine(container, env, options.paths);
      const cwd = await containerRoot(dir, container, volumes);
      await mkdir(join(dir, "logs", name), { recursive: true });
      await mkdir(dirname(terminationLog), { recursive: true });
      const log = openLogFile(join(dir, "logs", name, `${run.attempt}.log`));
      logs.set(name, [...(logs.get(name) ?? []), log]);
      let started: ContainerProcess;
      try {
        started = await startProcess({ command, cwd, env }, log, options.reaper);
      } catch (error) {
        await log.close();
        const end = { exitCode: 128, reason: "StartError", message: describeError(error) };
        record(name, { ...run, state: "exited", finishedAtMs: clock.nowMs(), ...end }, before);
        return;
      }
      record(name, run, before);
      const exited = started.exited.then(async (exitCode) => {
        const finishedAtMs = clock.nowMs();
        const message = await readTerminationMessage(terminationLog);
        running.delete(name);
        const reason = exitCode === 0 ? "Completed" : "Error";
        const end = { finishedAtMs, exitCode, reason, ...(message && { message }) };
        record(name, { ...run, state: "exited", ...end }, before);
        options.changed();
      });
      running.set(name, {
        container,
        pid: started.pid,
        exited,
        signal: started.signal,
        terminate: () => started.signal("SIGTERM"),
        kill: () => started.signal("SIGKILL"),
        runHook: (hook) => runHook(hook, started, options.paths),
      });
      if (stopped) started.signal("SIGKILL");
    },

    async stop() {
      stopped = true;
      await Promise.all(
        [...running.values()].map(async (item) => {
          item.kill();
          await item.exited;
        }),
      );
    },
  };
}

function volumeVariables(
  container: Container,
  volumes: PodVolumes,
  volumeEnv: VolumeEnv,
): Record<string, string> {
  const found = container.mounts.map(({ volume }) => volumeEnv[volume]?.(volumes.paths.get(volume) ?? ""));
  return Object.assign({}, ...found);
}

/** A hook that fails counts like a hook that ended (the kubelet writes an event). */
async function runHook(hook: Hook, target: ContainerProcess, paths: CommandPaths): Promise<void> {
  if (hook.kind === "sleep") {
    await Promise.race([sleep(hook.seconds * 1000, undefined, { ref: false }), target.exited]);
    return;
  }
  if (hook.kind === "unsupported") return;
  const [program, ...args] = hook.command;
  if (program === undefined) return;
  await target.exec(hostCommand([program, ...args], paths)).catch(() => {});
}
