/**
 * The status that the kubelet would write for a pod, given only its spec and its containers. Ported from `generateAPIPodStatus`,
 * `convertToAPIContainerStatuses` and `TerminatePod` of kubelet 1.37, without probes and resources.
 */

import { type ContainerState, type ContainerStatus, type Terminated, time } from "./container-status.ts";
import { type Container, isTerminal, type Phase, type Pod } from "./pod.ts";
import { podConditions, type StatusCondition } from "./pod-conditions.ts";
import { podPhase } from "./pod-phase.ts";
import type { ContainerRuns, ExitedRun, PodRuns } from "./runs.ts";

export interface PodStatus {
  readonly phase: Phase;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
  readonly conditions: readonly StatusCondition[];
  readonly hostIP: string;
  readonly hostIPs: readonly { readonly ip: string }[];
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip: string }[];
  readonly startTime: string;
  readonly initContainerStatuses?: readonly ContainerStatus[];
  readonly containerStatuses?: readonly ContainerStatus[];
}

/** Why a container is not running although it should be. */
export interface WaitingReason {
  readonly reason: string;
  readonly message: string;
}

export interface PodSituation {
  readonly runs: PodRuns;
  /** By container name. */
  readonly waiting: ReadonlyMap<string, WaitingReason>;
  /** The stage in the kubelet's pod lifecycle: containers may run, are being stopped, or have all ended for good. */
  readonly stage: "syncing" | "terminating" | "terminated";
  /** The volumes exist and containers may be started. */
  readonly sandboxReady: boolean;
  readonly hostIp: string;
  /** Undefined until the sandbox exists. */
  readonly podIp: string | undefined;
  readonly startedAtMs: number;
  readonly nowMs: number;
  /** The node ended the pod for a reason of its own, such as activeDeadlineSeconds. */
  readonly failure?: WaitingReason | undefined;
}

/**
 * `phase` is terminal only in stage `terminated`: "The Kubelet should never transition a pod to terminal status that could have running containers".
 * {@link computedPhase} is the phase that it will become; the conditions reflect that already.
 */
export function podStatus(pod: Pod, situation: PodSituation): PodStatus {
  const { nowMs, hostIp, podIp, failure, stage } = situation;
  const initContainerStatuses = pod.initContainers.map((container) =>
    containerStatus(pod, container, true, situation),
  );
  const containerStatuses = pod.containers.map((container) =>
    containerStatus(pod, container, false, situation),
  );
  const computed = computedPhase(pod, situation);
  const phase =
    stage === "terminated" ? (isTerminal(computed) ? computed : "Failed") : nonTerminal(computed, pod.phase);
  const statuses = [...initContainerStatuses, ...containerStatuses];
  return {
    phase,
    ...(failure && isTerminal(phase) ? failure : {}),
    ...(pod.generation === undefined ? {} : { observedGeneration: pod.generation }),
    conditions: podConditions({
      pod,
      statuses,
      phase: computed,
      sandboxReady: situation.sandboxReady,
      nowMs,
    }),
    hostIP: hostIp,
    hostIPs: [{ ip: hostIp }],
    ...(podIp === undefined ? {} : { podIP: podIp, podIPs: [{ ip: podIp }] }),
    startTime: pod.startTime ?? time(situation.startedAtMs),
    ...(initContainerStatuses.length > 0 ? { initContainerStatuses } : {}),
    containerStatuses,
  };
}

/** The phase that the containers imply: terminal as soon as none can run again. */
export function computedPhase(pod: Pod, situation: PodSituation): Phase {
  if (situation.failure) return "Failed";
  if (isTerminal(pod.phase)) return pod.phase;
  const statuses = (containers: readonly Container[], init: boolean) =>
    new Map(
      containers.map((container) => [container.name, containerStatus(pod, container, init, situation)]),
    );
  return podPhase(pod, {
    statuses: new Map([...statuses(pod.initContainers, true), ...statuses(pod.containers, false)]),
    terminated: situation.stage === "terminated",
  });
}

function nonTerminal(computed: Phase, current: Phase): Phase {
  return isTerminal(computed) ? current : computed;
}

function containerStatus(
  pod: Pod,
  container: Container,
  init: boolean,
  situation: PodSituation,
): ContainerStatus {
  const runs = situation.runs.get(container.name);
  const { state, lastState } = containerStates(pod, container, runs, situation);
  const running = state.running !== undefined;
  const completedInit = init && !container.sidecar && state.terminated?.exitCode === 0;
  return {
    name: container.name,
    state,
    lastState,
    ready: running ? !init || container.sidecar : completedInit,
    started: running,
    restartCount: runs?.latest.attempt ?? 0,
    image: container.image,
    imageID: "",
    ...(runs ? { containerID: runs.latest.id } : {}),
  };
}

function containerStates(
  pod: Pod,
  container: Container,
  runs: ContainerRuns | undefined,
  { runs: podRuns, waiting, stage }: PodSituation,
): { state: ContainerState; lastState: ContainerState } {
  const why = pod.deleting ? undefined : waiting.get(container.name);
  if (!runs) {
    if (stage === "terminated" && countsAsRun(pod, container, podRuns))
      return { state: UNKNOWN_END, lastState: {} };
    const creating = { reason: pod.initContainers.length > 0 ? "PodInitializing" : "ContainerCreating" };
    return { state: { waiting: why ?? creating }, lastState: {} };
  }
  const lastState = runs.previous ? { terminated: terminated(runs.previous) } : {};
  if (runs.latest.state === "running") {
    return { state: { running: { startedAt: time(runs.latest.startedAtMs) } }, lastState };
  }
  const ended = { terminated: terminated(runs.latest) };
  if (!why) return { state: ended, lastState };
  return { state: stage === "terminated" ? UNKNOWN_END : { waiting: why }, lastState: ended };
}

const UNKNOWN_END: ContainerState = {
  terminated: {
    exitCode: 137,
    reason: "ContainerStatusUnknown",
    message: "The container could not be located when the pod was terminated",
  },
};

/**
 * Whether `TerminatePod` reports a container without a process as failed: the mains of an initialized pod, the init containers
 * before the last one that ran, and the first in any case.
 */
function countsAsRun(pod: Pod, container: Container, runs: PodRuns): boolean {
  const index = pod.initContainers.indexOf(container);
  if (index >= 0) return index === 0 || pod.initContainers.slice(index).some(({ name }) => runs.has(name));
  const last = pod.initContainers.at(-1);
  if (!last || pod.containers.some(({ name }) => runs.has(name))) return true;
  const run = runs.get(last.name)?.latest;
  return run !== undefined && (last.sidecar || (run.state === "exited" && run.exitCode === 0));
}

function terminated(run: ExitedRun): Terminated {
  return {
    exitCode: run.exitCode,
    reason: run.reason,
    ...(run.message === undefined ? {} : { message: run.message }),
    startedAt: time(run.startedAtMs),
    finishedAt: time(run.finishedAtMs),
    containerID: run.id,
  };
}
