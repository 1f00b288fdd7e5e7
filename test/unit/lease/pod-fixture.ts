/** Pods of klease `nightly` for tests: their true state, and what the kubelet writes about it. */
import type { ContainerView, PodView } from "../../../src/lease/pod.ts";
import { readAsked } from "../../../src/lease/settings.ts";
import { ANNOTATION, passMessage } from "../../../src/shared/names.ts";

const GRACE_SECONDS = 3;
/** How long the kubelet takes at most to stop main when the keeper fences. */
export const STOP_MS = 5_000;

interface PodKind {
  /** Its keeper carries the restart rule. */
  selfFencing: boolean;
  restartPolicy: "Never" | "OnFailure";
}

export interface TruePod extends PodKind {
  uid: string;
  name: string;
  /** The Job whose hold it shares. */
  job?: { name: string; uid: string };
  gate: "asking" | "passed";
  gateRun: string;
  /** The token that it was granted in this run. */
  token: number;
  gateFinishedMs?: number;
  main: "waiting" | "running" | "ended";
  mainExit?: number;
  mainStartedMs?: number;
  keeper: "waiting" | "running" | "ended";
  keeperStartedMs?: number;
}

/** A pod whose gate asks. */
export function createPod(index: number, kind: PodKind, job?: TruePod["job"]): TruePod {
  return {
    ...kind,
    ...(job && { job }),
    ...{ uid: `pod-${index}`, name: `run-${index}` },
    ...{ gate: "asking", gateRun: "b/1", token: 0, main: "waiting", keeper: "waiting" },
  };
}

export const nodeNameOf = ({ name }: TruePod) => `node-of-${name}`;

const wholeSeconds = (ms: number) => Math.floor(ms / 1_000) * 1_000;
const STATES = { waiting: "waiting", running: "running", ended: "terminated" } as const;

/** The pod's status as the kubelet writes it. */
export function statusOf(pod: TruePod): PodView {
  const passed = pod.gate === "passed";
  const gate: ContainerView = {
    name: "konductor-gate",
    kind: "init",
    state: passed ? "terminated" : "running",
    hasRestartRules: false,
    ...(passed && { exitCode: 0, message: passMessage(pod.token, pod.gateRun) }),
    ...(passed && pod.gateFinishedMs !== undefined && { finishedMs: wholeSeconds(pod.gateFinishedMs) }),
  };
  const keeper: ContainerView = {
    name: "konductor-keeper",
    kind: "sidecar",
    state: STATES[pod.keeper],
    hasRestartRules: pod.selfFencing,
    ...(pod.keeperStartedMs !== undefined && { startedMs: wholeSeconds(pod.keeperStartedMs) }),
  };
  const main: ContainerView = {
    name: "main",
    kind: "app",
    state: STATES[pod.main],
    hasRestartRules: false,
    ...(pod.mainExit !== undefined && { exitCode: pod.mainExit }),
    ...(pod.mainStartedMs !== undefined && { startedMs: wholeSeconds(pod.mainStartedMs) }),
  };
  return {
    namespace: "ns",
    name: pod.name,
    uid: pod.uid,
    resourceVersion: "",
    lease: "nightly",
    ...readAsked("nightly", pod.job ? { [ANNOTATION.gate]: "job" } : {}),
    ...(pod.job && { job: pod.job }),
    node: nodeNameOf(pod),
    phase: passed ? "Running" : "Pending",
    restartPolicy: pod.restartPolicy,
    graceSeconds: GRACE_SECONDS,
    collected: false,
    gated: false,
    selfFencing: pod.selfFencing,
    stopMs: STOP_MS,
    gate,
    keeper,
    main: [main],
  };
}
