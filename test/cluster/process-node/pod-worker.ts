/**
 * One pod's lifecycle on the node, in one strictly serial loop like the kubelet's pod worker: sync until the pod is terminal, deleted or gone, then
 * stop its containers, then write its terminal status. A step is never cut short: shortening the grace period while containers are being stopped has
 * no effect, as in kubelet 1.37 (`SyncTerminatingPod` drops its context).
 */
import { rm } from "node:fs/promises";
import type { Clock } from "../../../src/shared/clock.ts";
import { describeError } from "../../../src/shared/errors.ts";
import type { Logger } from "../../../src/shared/log.ts";
import { nextActions } from "./actions.ts";
import { crashBackoff } from "./crash-backoff.ts";
import { doorbell } from "./doorbell.ts";
import { ContainerConfigError, type PodAddresses } from "./environment.ts";
import type { NodeApi } from "./node-api.ts";
import { type Container, isTerminal, type Pod } from "./pod.ts";
import type { PodContainers } from "./pod-containers.ts";
import { computedPhase, type PodSituation, podStatus, type WaitingReason } from "./pod-status.ts";
import { statusWriter } from "./status-writer.ts";
import { stopContainers } from "./termination.ts";
import { volumeKeeper } from "./volume-keeper.ts";
import type { PodVolumes } from "./volumes.ts";

export interface PodWorkerOptions {
  readonly pod: Pod;
  /** The pod's folder. */
  readonly dir: string;
  readonly addresses: PodAddresses;
  readonly api: NodeApi;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `changed` must be called when a container has ended. */
  createContainers(changed: () => void): PodContainers;
}

export interface PodWorker {
  readonly pod: Pod;
  readonly containers: PodContainers;
  readonly ip: string;
  /** The API server has a newer version of the pod. */
  update(pod: Pod): void;
  /** The pod is gone from the API server. */
  removed(): void;
  /** Kills the pod's processes and writes nothing any more. */
  stop(): Promise<void>;
  /** Resolves when the pod is gone from node and API server, or after `stop`. */
  readonly ended: Promise<void>;
}

const VOLUME_RETRY_MS = 1_000;
const CONFIG_RETRY_MS = 10_000;
const SYNC_RETRY_MS = 1_000;

const DEADLINE_EXCEEDED: WaitingReason = {
  reason: "DeadlineExceeded",
  message: "Pod was active on the node longer than the specified deadline",
};

export function startPodWorker(options: PodWorkerOptions): PodWorker {
  const { dir, addresses, api, clock, logger } = options;
  const bell = doorbell();
  const backoff = crashBackoff();
  const containers = options.createContainers(bell.ring);
  const volumes = volumeKeeper(options);
  const startedAtMs = clock.nowMs();
  const waiting = new Map<string, WaitingReason>();
  /** Keyed by container, or by another reason to look again later. */
  const cancelWake = new Map<string, () => void>();
  let pod = options.pod;
  let written: Pod | undefined;
  let stage: PodSituation["stage"] = "syncing";
  let failure = rejection(pod);
  let sandboxStopped = false;
  let gone = false;
  let stopped = false;

  const writer = statusWriter({ api, clock, logger, written: (stored) => accept(stored, stored) });

  /** A version from the watch may be older than our last write. Writes by others count only if they end the pod. */
  function accept(next: Pod, status: Pod | undefined): void {
    written = status;
    const own = written && !isTerminal(next.phase) ? written : next;
    pod = { ...next, phase: own.phase, conditions: own.conditions, startTime: own.startTime };
  }

  function situation(): PodSituation {
    return {
      runs: containers.runs(),
      waiting,
      stage,
      sandboxReady: volumes.volumes !== undefined && !sandboxStopped,
      hostIp: addresses.hostIp,
      podIp: volumes.volumes && addresses.podIp,
      startedAtMs,
      nowMs: clock.nowMs(),
      failure,
    };
  }

  function writeStatus(): void {
    if (!stopped) writer.set(pod, podStatus(pod, situation()), stage === "terminated");
  }

  /** Resolves with whether the pod has ended by itself. */
  async function sync(): Promise<boolean> {
    const leftMs = activeLeftMs();
    if (leftMs <= 0) failure ??= DEADLINE_EXCEEDED;
    else if (Number.isFinite(leftMs)) wakeAfter("/deadline", leftMs);
    const terminal = isTerminal(computedPhase(pod, situation()));
    writeStatus();
    if (terminal) return true;
    const mounted = await volumes.ensure(pod);
    if (!mounted) {
      wakeAfter("/volumes", VOLUME_RETRY_MS);
      return false;
    }
    const { killPod, start } = nextActions(pod, containers.runs());
    if (killPod) {
      await stopContainers(pod, containers.running(), pod.terminationGracePeriodSeconds, clock);
      sandboxStopped = true;
      bell.ring();
    }
    for (const container of start) {
      const done = await startUnlessHeldUp(container, mounted);
      if (!done && pod.initContainers.includes(container) && !container.sidecar) break;
    }
    return false;
  }

  async function startUnlessHeldUp(container: Container, mounted: PodVolumes): Promise<boolean> {
    const { name } = container;
    const last = containers.runs().get(name)?.latest;
    const nowMs = clock.nowMs();
    const delayMs = last?.state === "exited" ? backoff.current(name, last.finishedAtMs, nowMs) : 0;
    if (last?.state === "exited" && delayMs > 0) {
      const message = `back-off ${goDuration(delayMs)} restarting failed container=${name} pod=${pod.name}_${pod.namespace}(${pod.uid})`;
      holdUp(name, { reason: "CrashLoopBackOff", message }, last.finishedAtMs + delayMs - nowMs);
      return false;
    }
    if (last?.state === "exited") backoff.started(name, last.finishedAtMs, nowMs);
    try {
      await containers.start(pod, container, mounted, addresses);
    } catch (error) {
      if (!(error instanceof ContainerConfigError)) throw error;
      holdUp(name, { reason: "CreateContainerConfigError", message: error.message }, CONFIG_RETRY_MS);
      return false;
    }
    waiting.delete(name);
    bell.ring();
    return true;
  }

  /** The reason is written with the next status, whenever that is: the kubelet does not trigger a write for it either. */
  function holdUp(name: string, why: WaitingReason, retryMs: number): void {
    waiting.set(name, why);
    wakeAfter(name, retryMs);
  }

  /** A later call with the same key replaces an earlier one. */
  function wakeAfter(key: string, delayMs: number): void {
    cancelWake.get(key)?.();
    cancelWake.set(key, clock.after(delayMs, bell.ring));
  }

  function activeLeftMs(): number {
    if (pod.activeDeadlineSeconds === undefined) return Number.POSITIVE_INFINITY;
    const sinceMs = pod.startTime === undefined ? startedAtMs : Date.parse(pod.startTime);
    return sinceMs + pod.activeDeadlineSeconds * 1000 - clock.nowMs();
  }

  async function terminate(): Promise<void> {
    stage = "terminating";
    writeStatus();
    const graceSeconds = Math.max(1, pod.deletionGracePeriodSeconds ?? pod.terminationGracePeriodSeconds);
    await stopContainers(pod, containers.running(), graceSeconds, clock);
    stage = "terminated";
    sandboxStopped = true;
    await volumes.remove();
    writeStatus();
  }

  async function run(): Promise<void> {
    let terminal = false;
    while (!stopped && !gone && !pod.deleting && !terminal) {
      try {
        terminal = await sync();
      } catch (error) {
        logger.error({ error: describeError(error) }, "pod not synced, trying again");
        wakeAfter("/sync", SYNC_RETRY_MS);
      }
      if (!terminal) await bell.wait();
    }
    if (!stopped) await terminate();
    while (!stopped && !gone) {
      await bell.wait();
      writeStatus();
    }
    writer.stop();
    volumes.stop();
    if (!stopped) await rm(dir, { recursive: true, force: true });
  }

  const ended = run().catch((error: unknown) => {
    logger.error({ error: describeError(error) }, `pod worker failed: ${describeError(error)}`);
  });
  return {
    get pod() {
      return pod;
    },
    containers,
    ip: addresses.podIp,
    ended,
    update(next) {
      accept(next, written);
      bell.ring();
    },
    removed() {
      gone = true;
      bell.ring();
    },
    async stop() {
      stopped = true;
      bell.ring();
      await containers.stop();
    },
  };
}

/** Rejects what the kubelet's admission rejects on a node that does not declare the feature. */
function rejection(pod: Pod): WaitingReason | undefined {
  const asks = [...pod.initContainers, ...pod.containers].some(({ restartRules }) =>
    restartRules.some(({ action }) => action === "RestartAllContainers"),
  );
  if (!asks) return undefined;
  return {
    reason: "PodFeatureUnsupported",
    message:
      "Pod requires the node feature RestartAllContainersOnContainerExits, which the process node does not have",
  };
}

/** Formats whole seconds as Go prints a duration: `1m20s`. */
function goDuration(ms: number): string {
  const seconds = ms / 1000;
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
