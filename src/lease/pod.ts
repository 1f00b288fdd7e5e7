/**
 * A pod as far as the lease rules look at it, and the questions they ask of it. A pod that the kubelet wrote about is
 * evidence; a pod that somebody else wrote about, or that is simply gone, is not (design: "proof").
 *
 * Main means every container of the user that starts after our gate, the user's own init containers included.
 */

import { defined, integer, list, record, text, textMap, timeMs } from "../shared/json.ts";
import {
  ANNOTATION,
  ENV,
  EXIT,
  GATE_CONTAINER,
  GROUP,
  KEEPER_CONTAINER,
  LEASE_LABEL,
  passedRun,
  passedToken,
  SCHEDULING_GATE,
} from "../shared/names.ts";
import type { ClaimantRef } from "./types.ts";

export type ContainerState = "waiting" | "running" | "terminated";

export interface ContainerView {
  name: string;
  /** A sidecar is an init container with restartPolicy Always. */
  kind: "init" | "sidecar" | "app";
  state: ContainerState;
  exitCode?: number;
  /** When its last run began and ended, by the node's clock, in whole seconds. */
  startedMs?: number;
  finishedMs?: number;
  /** What it left in its termination log. */
  message?: string;
  /** The container's own restart policy; undefined where the pod's applies. */
  restartPolicy?: string;
  hasRestartRules: boolean;
}

export interface PodView {
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
  /** The value of the lease label. */
  lease?: string;
  annotations: Readonly<Record<string, string>>;
  node?: string;
  phase: string;
  restartPolicy: string;
  /** Set while it is being deleted. */
  deletionMs?: number;
  deletionGraceSeconds?: number;
  graceSeconds: number;
  /** Its phase was written by the pod garbage collector, which saw no container. */
  collected: boolean;
  /** It carries our scheduling gate: nothing of it runs before the arbiter takes that away. */
  gated: boolean;
  /** The Job that made it. */
  job?: { name: string; uid: string };
  /** The keeper carries the rule by which its exit stops every other container. */
  selfFencing: boolean;
  /** How long the kubelet may need to stop its containers once the keeper has fenced; 0 where admission did not say. */
  stopMs: number;
  gate?: ContainerView;
  keeper?: ContainerView;
  main: readonly ContainerView[];
}

const DEFAULT_GRACE_SECONDS = 30;

/** Reads a v1 Pod. Keeps only what the rules need, since every replica holds every labelled pod in memory. */
export function parsePod(object: unknown): PodView {
  const pod = record(object);
  const metadata = record(pod["metadata"]);
  const spec = record(pod["spec"]);
  const status = record(pod["status"]);
  const statuses = new Map(
    [...list(status["initContainerStatuses"]), ...list(status["containerStatuses"])].map((entry) => {
      const container = record(entry);
      return [text(container["name"]) ?? "", container] as const;
    }),
  );
  const init = list(spec["initContainers"]).map((entry) => viewContainer(record(entry), "init", statuses));
  const apps = list(spec["containers"]).map((entry) => viewContainer(record(entry), "app", statuses));
  const gateIndex = init.findIndex(({ name }) => name === GATE_CONTAINER);
  const keeper = init.find(({ name }) => name === KEEPER_CONTAINER);
  return {
    namespace: text(metadata["namespace"]) ?? "",
    name: text(metadata["name"]) ?? "",
    uid: text(metadata["uid"]) ?? "",
    resourceVersion: text(metadata["resourceVersion"]) ?? "",
    annotations: ownAnnotations(metadata["annotations"]),
    phase: text(status["phase"]) ?? "Pending",
    restartPolicy: text(spec["restartPolicy"]) ?? "Always",
    graceSeconds: integer(spec["terminationGracePeriodSeconds"]) ?? DEFAULT_GRACE_SECONDS,
    collected: wasCollected(status),
    selfFencing: keeper?.hasRestartRules ?? false,
    stopMs: keeperStopMs(spec),
    gated: list(spec["schedulingGates"]).some((gate) => record(gate)["name"] === SCHEDULING_GATE),
    main: [...init.slice(gateIndex + 1).filter(({ name }) => name !== KEEPER_CONTAINER), ...apps],
    ...defined({
      lease: textMap(metadata["labels"])[LEASE_LABEL],
      node: text(spec["nodeName"]),
      deletionMs: timeMs(metadata["deletionTimestamp"]),
      deletionGraceSeconds: integer(metadata["deletionGracePeriodSeconds"]),
      job: owningJob(metadata),
      gate: init[gateIndex],
      keeper,
    }),
  };
}

function owningJob(metadata: Record<string, unknown>): PodView["job"] {
  const owner = list(metadata["ownerReferences"])
    .map(record)
    .find(
      ({ controller, kind, apiVersion }) =>
        controller === true && kind === "Job" && apiVersion === "batch/v1",
    );
  const [name, uid] = [text(owner?.["name"]), text(owner?.["uid"])];
  return name === undefined || uid === undefined ? undefined : { name, uid };
}

/** Ours alone: an object may carry 256 KiB of others'. */
export function ownAnnotations(value: unknown): Record<string, string> {
  const own = Object.entries(textMap(value)).filter(([name]) => name.startsWith(`${GROUP}/`));
  return Object.fromEntries(own);
}

function viewContainer(
  spec: Record<string, unknown>,
  group: "init" | "app",
  statuses: ReadonlyMap<string, Record<string, unknown>>,
): ContainerView {
  const name = text(spec["name"]) ?? "";
  const status = statuses.get(name) ?? {};
  const state = record(status["state"]);
  const terminated = record(state["terminated"]);
  const lastTerminated = record(record(status["lastState"])["terminated"]);
  return {
    name,
    kind: group === "init" && spec["restartPolicy"] === "Always" ? "sidecar" : group,
    state: state["terminated"] ? "terminated" : state["running"] ? "running" : "waiting",
    hasRestartRules: list(spec["restartPolicyRules"]).length > 0,
    ...defined({
      exitCode: integer(terminated["exitCode"]),
      startedMs:
        timeMs(record(state["running"])["startedAt"]) ??
        timeMs(terminated["startedAt"]) ??
        timeMs(lastTerminated["startedAt"]),
      finishedMs: timeMs(terminated["finishedAt"]),
      // Only the gate's says something to us.
      message: name === GATE_CONTAINER ? text(terminated["message"]) : undefined,
      restartPolicy: text(spec["restartPolicy"]),
    }),
  };
}

function keeperStopMs(podSpec: Record<string, unknown>): number {
  const keeper = list(podSpec["initContainers"])
    .map(record)
    .find(({ name }) => name === KEEPER_CONTAINER);
  const variable = list(keeper?.["env"])
    .map(record)
    .find(({ name }) => name === ENV.stopMs);
  const stopMs = Number(text(variable?.["value"]));
  return Number.isFinite(stopMs) ? stopMs : 0;
}

/** The pod garbage collector marks what it fails with this condition; it knows nothing of containers (KEP-3329). */
function wasCollected(status: Record<string, unknown>): boolean {
  return list(status["conditions"]).some((entry) => {
    const condition = record(entry);
    return (
      condition["type"] === "DisruptionTarget" &&
      condition["status"] === "True" &&
      condition["reason"] === "DeletionByPodGC"
    );
  });
}

export function isTerminal(pod: PodView): boolean {
  return pod.phase === "Succeeded" || pod.phase === "Failed";
}

/** Whether its user has it wait before it is scheduled, and its gate has not run yet. */
export function isUnscheduled({ gated, annotations, gate }: PodView): boolean {
  const isLate = annotations[ANNOTATION.gate] === "scheduling" || annotations[ANNOTATION.ifHeld] === "skip";
  return gated || (isLate && gate?.startedMs === undefined);
}

/** Whether it runs under the hold of its Job. */
export function waitsForJob({ annotations }: Pick<PodView, "annotations">): boolean {
  return annotations[ANNOTATION.gate] === "job";
}

/** Under whose hold it runs: its own, or that of its Job, which it may have lost. */
export function claimantOf(pod: PodView): ClaimantRef | undefined {
  const { name, uid, job } = pod;
  if (!waitsForJob(pod)) return { kind: "Pod", name, uid };
  return job && { kind: "Job", ...job };
}

/** The pod, with what its status says of another run of its gate than `gateRun` left out. */
export function sinceRun(pod: PodView, gateRun: string | undefined): PodView {
  const { gate } = pod;
  if (!gate || (gateRun !== undefined && passedRun(gate.message) === gateRun)) return pod;
  const { message: _, ...others } = gate;
  return { ...pod, gate: others };
}

/** Whether a grant could still be of use to it. */
export function canUseGrant(pod: PodView): boolean {
  return pod.deletionMs === undefined && !isTerminal(pod);
}

/**
 * Proof that main has ended and will not run again under the hold `token`: a terminal phase that the kubelet wrote, or every
 * main container seen terminated in the run that this hold's gate let through, with nothing to restart it. A pod that was
 * never bound has no kubelet that could run it, but only the final version of a deleted pod can show that (`isFinal`): a live
 * one may be bound a moment later.
 */
export function provesMainEnded(pod: PodView, token: number, isFinal: boolean): boolean {
  if (pod.collected) return false;
  if (isTerminal(pod)) return true;
  if (isFinal && pod.node === undefined) return true;
  return pod.main.length > 0 && pod.main.every((container) => hasEndedForGood(container, pod, token));
}

function hasEndedForGood(container: ContainerView, pod: PodView, token: number): boolean {
  if (container.state !== "terminated" || !ranUnder(container, pod, token)) return false;
  // That the pod is being deleted changes nothing here: its kubelet may not know yet, and start the container again. When it
  // knows, it writes a terminal phase as soon as it has stopped everything.
  // What a rule restarts, and when, is the kubelet's to say: wait for the terminal phase.
  if (container.hasRestartRules) return false;
  if (container.kind === "sidecar") {
    return pod.main.every((other) => other.kind !== "app" || hasEndedForGood(other, pod, token));
  }
  if (container.kind === "init" && container.exitCode === 0) return true;
  const policy = container.restartPolicy ?? pod.restartPolicy;
  return policy === "Never" || (policy === "OnFailure" && container.exitCode === 0);
}

/**
 * Whether what the status says of `container` is about the run that the gate of hold `token` let through. A pod whose
 * sandbox was re-created, or that was fenced, runs its init containers again under the same uid, and its status may show the
 * ended containers of the earlier run for a second or more: without this question they would end the new hold. The gate
 * therefore leaves its token in its termination message. Limit: a node clock set back between two runs.
 */
function ranUnder(container: ContainerView, pod: PodView, token: number): boolean {
  return (
    isPastGate(pod) &&
    passedToken(pod.gate?.message) === token &&
    pod.gate?.finishedMs !== undefined &&
    container.startedMs !== undefined &&
    container.startedMs >= pod.gate.finishedMs
  );
}

/** Whether an app container of the user has started under hold `token`; an init container that crash-loops does not count. */
export function hasMainStarted(pod: PodView, token: number): boolean {
  return pod.main.some((container) => container.kind === "app" && ranUnder(container, pod, token));
}

/** Whether an app container is known to have run at any time, if only in an earlier run. */
export function hasEverStarted(pod: PodView): boolean {
  return pod.main.some(({ kind, startedMs }) => kind === "app" && startedMs !== undefined);
}

/**
 * Whether main has started, as far as start-timeout asks: under hold `token` where the status is about that run, else (a kubelet
 * that keeps no termination messages) at any time.
 */
export function hasStarted(pod: PodView, token: number): boolean {
  return passedToken(pod.gate?.message) === token ? hasMainStarted(pod, token) : hasEverStarted(pod);
}

/** Whether main is seen running. That it is not seen proves nothing. */
export function isMainRunning(pod: PodView): boolean {
  return pod.main.some(({ state }) => state === "running");
}

/** Whether its gate let it through: from here on main may be running, whatever the rest of the status says. */
export function isPastGate(pod: PodView): boolean {
  return pod.gate?.state === "terminated" && pod.gate.exitCode === 0;
}

/**
 * Whether its main may be running although no Lease records its hold (the Lease was deleted): it is past its gate, and nothing
 * proves that what the gate let through has ended.
 */
export function mayRunUnrecorded(pod: PodView): boolean {
  return isPastGate(pod) && !provesMainEnded(pod, passedToken(pod.gate?.message) ?? Number.NaN, false);
}

/** A first fence comes at least half of the shortest ttl after the gate was done. */
const KEEPER_STARTS_WITHIN_MS = 5_000;

/**
 * Whether its keeper is known to have run ever since the gate of hold `token` let the pod through. One that crashed and came back
 * may have found its deadline passed, so that it has only just begun to stop main; and a status that is about an earlier run
 * says nothing of this one.
 */
export function hasKeptSinceGate({ keeper, gate }: PodView, token: number): boolean {
  return (
    passedToken(gate?.message) === token &&
    gate?.finishedMs !== undefined &&
    keeper?.startedMs !== undefined &&
    keeper.startedMs <= gate.finishedMs + KEEPER_STARTS_WITHIN_MS
  );
}

/**
 * Whether main runs, if at all, with a keeper that can stop it: the keeper runs; or it has fenced, so that the kubelet stops main; or the
 * gate has let nobody through (yet, or since a fence), and before main the kubelet starts the keeper.
 */
export function isGuarded(pod: PodView): boolean {
  const { keeper } = pod;
  const hasFenced = keeper?.state === "terminated" && keeper.exitCode === EXIT.fenced;
  return keeper?.state === "running" || (hasFenced && keeper.hasRestartRules) || !isPastGate(pod);
}
