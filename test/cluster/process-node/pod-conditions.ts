/** The conditions that the kubelet owns. A port of pkg/kubelet/status/generate.go of 1.37, without readiness gates. */

import { type ContainerStatus, time } from "./container-status.ts";
import { isTerminal, type Phase, type Pod } from "./pod.ts";

/** `null` removes a field of the stored condition: the patch merges conditions by their type. */
export interface StatusCondition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string | null;
  readonly message: string | null;
  readonly lastProbeTime: null;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

export interface ConditionsInput {
  readonly pod: Pod;
  /** Init containers first. */
  readonly statuses: readonly ContainerStatus[];
  /** The phase that the containers imply, written or not. */
  readonly phase: Phase;
  readonly sandboxReady: boolean;
  readonly nowMs: number;
}

type Verdict = Pick<StatusCondition, "status" | "reason" | "message">;

const TRUE: Verdict = { status: "True", reason: null, message: null };

export function podConditions(input: ConditionsInput): StatusCondition[] {
  const { pod, sandboxReady, nowMs } = input;
  const ready = containersReady(input);
  const verdicts: Record<string, Verdict> = {
    PodReadyToStartContainers: sandboxReady
      ? TRUE
      : no("PodSandboxNotReady", "No ready sandbox for pod can be found. Need to start a new one"),
    Initialized: initialized(input),
    Ready: ready,
    ContainersReady: ready,
    PodScheduled: TRUE,
  };
  return Object.entries(verdicts).map(([type, verdict]) => {
    const old = pod.conditions.find((condition) => condition.type === type);
    return {
      type,
      ...verdict,
      lastProbeTime: null,
      lastTransitionTime: (old?.status === verdict.status && old.lastTransitionTime) || time(nowMs),
      ...(pod.generation === undefined ? {} : { observedGeneration: pod.generation }),
    };
  });
}

function containersReady({ pod, statuses, phase }: ConditionsInput): Verdict {
  if (isTerminal(phase)) return no(phase === "Succeeded" ? "PodCompleted" : "PodFailed", null);
  const counted = [...pod.initContainers.filter(({ sidecar }) => sidecar), ...pod.containers];
  const unready = counted.map(({ name }) => name).filter((name) => !find(statuses, name)?.ready);
  if (unready.length === 0) return TRUE;
  return no("ContainersNotReady", `containers with unready status: [${unready.join(" ")}]`);
}

function initialized({ pod, statuses, phase }: ConditionsInput): Verdict {
  if (phase === "Succeeded") return { ...TRUE, reason: "PodCompleted" };
  const started = pod.containers.some(({ name }) => {
    const status = find(statuses, name);
    return status && (status.started || status.state.terminated || status.lastState.terminated);
  });
  if (started) return TRUE;
  const incomplete = pod.initContainers.filter(({ name, sidecar }) => {
    const status = find(statuses, name);
    return !(sidecar ? status?.started : status?.ready);
  });
  if (incomplete.length === 0) return TRUE;
  const names = incomplete.map(({ name }) => name).join(" ");
  return no("ContainersNotInitialized", `containers with incomplete status: [${names}]`);
}

function no(reason: string, message: string | null): Verdict {
  return { status: "False", reason, message };
}

function find(statuses: readonly ContainerStatus[], name: string): ContainerStatus | undefined {
  return statuses.find((status) => status.name === name);
}
