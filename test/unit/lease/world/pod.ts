/**
 * A pod as it truly is on its node, whatever anybody believes; and what its kubelet would say of it. The kubelet's words go
 * through an outbox: they reach the API server late and in order, or never.
 */
import type { ContainerView, PodView } from "../../../../src/lease/pod.ts";
import { formatGateRun } from "../../../../src/shared/gate-run.ts";
import { ANNOTATION, passMessage } from "../../../../src/shared/names.ts";
import { LEASE_NAME, NAMESPACE } from "./api.ts";

export const GRACE_MS = 3_000;
/** How long the kubelet takes to stop main at a fence, at most. */
export const STOP_MS = 5_000;

export interface PodKind {
  /** Its keeper carries the restart rule. */
  selfFencing: boolean;
  restartPolicy: "Never" | "OnFailure";
  priority?: number;
}

export interface TruePod extends PodKind {
  uid: string;
  name: string;
  /** The Job whose hold it shares. */
  job?: { name: string; uid: string };
  /** The run of its gate: which one of all that there were. */
  gateRun: string;
  /** cut: no packet leaves the node, its kubelet works on. dead: nothing runs any more. */
  node: "up" | "cut" | "dead";
  /** Only the keeper's and the gate's calls are lost. */
  muted: boolean;
  /** Its calls arrive, and their answers are lost. */
  deaf: boolean;
  gate: "asking" | "granted" | "confirmed" | "passed" | "failed";
  /** The token that it was granted in this run. */
  token: number;
  grantTtlMs: number;
  gateFinishedMs?: number;
  main: "waiting" | "running" | "ended";
  mainExit?: number;
  /** Of its last run, which may belong to an earlier run of the pod. */
  mainStartedMs?: number;
  keeper: "waiting" | "running" | "down" | "ended";
  /** `hold.json`; the deadline is on the node's own clock. */
  file?: { token: number; ttlMs: number; deadlineMs: number; lost: boolean };
  keeperStartedMs?: number;
  renewAtMs: number;
  /** When the kubelet will have stopped main, and what happens then. */
  killing?: { atMs: number; next: "rerun" | "over" };
  /** When its kubelet will have noticed that the object is being deleted, or gone. */
  noticeAtMs?: number;
  knowsDeletion: boolean;
  /** Its kubelet is through with it. */
  over: boolean;
  timesRun: number;
  outbox: PodView[];
}

let gateRuns = 0;

/** Later ones compare as later. */
export const nextGateRun = () => formatGateRun("b", ++gateRuns);

export function createPod(index: number, kind: PodKind, job?: TruePod["job"]): TruePod {
  return {
    ...kind,
    ...(job && { job }),
    gateRun: nextGateRun(),
    uid: `pod-${index}`,
    name: `run-${index}`,
    node: "up",
    muted: false,
    deaf: false,
    gate: "asking",
    token: 0,
    grantTtlMs: 0,
    main: "waiting",
    keeper: "waiting",
    renewAtMs: 0,
    knowsDeletion: false,
    over: false,
    timesRun: 0,
    outbox: [],
  };
}

export const nodeNameOf = ({ name }: TruePod) => `node-of-${name}`;

/** Whether its gate and keeper get through. */
export const isConnected = (pod: TruePod) => pod.node === "up" && !pod.muted;

/** Whether main will not be started again without passing the gate. */
export const hasEndedForGood = (pod: TruePod) =>
  pod.main === "ended" && (pod.restartPolicy === "Never" || pod.mainExit === 0 || pod.knowsDeletion);

const wholeSeconds = (ms: number) => Math.floor(ms / 1_000) * 1_000;

/** What the kubelet would write now. */
export function statusOf(pod: TruePod): PodView {
  const passed = pod.gate === "passed";
  const gate: ContainerView = {
    name: "konductor-gate",
    kind: "init",
    state: passed || pod.gate === "failed" ? "terminated" : "running",
    hasRestartRules: false,
    ...(passed && { exitCode: 0, message: passMessage(pod.token, pod.gateRun) }),
    ...(passed && pod.gateFinishedMs !== undefined && { finishedMs: wholeSeconds(pod.gateFinishedMs) }),
    ...(pod.gate === "failed" && { exitCode: 76 }),
  };
  const keeper: ContainerView = {
    name: "konductor-keeper",
    kind: "sidecar",
    state: pod.keeper === "running" ? "running" : pod.keeper === "waiting" ? "waiting" : "terminated",
    hasRestartRules: pod.selfFencing,
    ...(pod.keeperStartedMs !== undefined && { startedMs: wholeSeconds(pod.keeperStartedMs) }),
  };
  const main: ContainerView = {
    name: "main",
    kind: "app",
    state: pod.main === "ended" ? "terminated" : pod.main,
    hasRestartRules: false,
    ...(pod.mainExit !== undefined && { exitCode: pod.mainExit }),
    ...(pod.mainStartedMs !== undefined && { startedMs: wholeSeconds(pod.mainStartedMs) }),
  };
  return {
    namespace: NAMESPACE,
    name: pod.name,
    uid: pod.uid,
    resourceVersion: "",
    lease: LEASE_NAME,
    annotations: pod.job ? { [ANNOTATION.gate]: "job" } : {},
    ...(pod.job && { job: pod.job }),
    node: nodeNameOf(pod),
    phase: pod.over ? (pod.mainExit === 0 ? "Succeeded" : "Failed") : passed ? "Running" : "Pending",
    restartPolicy: pod.restartPolicy,
    graceSeconds: GRACE_MS / 1_000,
    collected: false,
    gated: false,
    selfFencing: pod.selfFencing,
    stopMs: STOP_MS,
    gate,
    keeper,
    main: [main],
  };
}
