/**
 * A pod as far as the lease rules look at it, and what they ask of it; what its status proves of main is in proof.ts.
 *
 * Main means every container of the user that starts after our gate, the user's own init containers included.
 */

import { isEarlierRun } from "../shared/gate-run.ts";
import { defined, integer, list, record, text, textMap, timeMs } from "../shared/json.ts";
import {
  ENV,
  GATE_CONTAINER,
  KEEPER_CONTAINER,
  LEASE_LABEL,
  passedRun,
  SCHEDULING_GATE,
} from "../shared/names.ts";
import { isOwnContainer } from "./own-container.ts";
import { type Asked, readAsked } from "./settings.ts";
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
  /** How often it was started again since the pod was made. */
  restarts?: number;
  /** The kubelet backs off before it starts the container again (CrashLoopBackOff). */
  isBackingOff?: true;
  /** What it left in its termination log. */
  message?: string;
  /** The container's own restart policy; undefined where the pod's applies. */
  restartPolicy?: string;
  hasRestartRules: boolean;
}

export interface PodView extends Asked {
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
  /** The value of the lease label. */
  lease?: string;
  node?: string;
  phase: string;
  restartPolicy: string;
  /** Set while it is being deleted. */
  deletionMs?: number;
  deletionGraceSeconds?: number;
  graceSeconds: number;
  /** Its kubelet ends it by itself at the end of its `activeDeadlineSeconds`. */
  hasDeadline?: true;
  /** Its phase was written by the pod garbage collector, which saw no container. */
  collected: boolean;
  /** Its kubelet ends it by its own decision, as in an eviction, with a grace period that nobody else knows. */
  isEndedByKubelet?: true;
  /** It has our containers and our scheduling gate: nothing of it runs before the arbiter removes the gate. */
  gated: boolean;
  /** Somebody else's scheduling gate keeps it from being scheduled as well: a grant would be of no use yet. */
  hasOtherGates?: true;
  /** The Job that made it. */
  job?: { name: string; uid: string };
  /** The keeper's image is no longer the gate's, so the kubelet has stopped a keeper, or will, while main runs. */
  isKeeperPatched?: true;
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
  const lease = textMap(metadata["labels"])[LEASE_LABEL];
  const imageOf = (name: string) => initContainerOf(spec, name)["image"];
  const isKeeperPatched = imageOf(KEEPER_CONTAINER) !== imageOf(GATE_CONTAINER);
  return {
    namespace: text(metadata["namespace"]) ?? "",
    name: text(metadata["name"]) ?? "",
    uid: text(metadata["uid"]) ?? "",
    resourceVersion: text(metadata["resourceVersion"]) ?? "",
    ...readAsked(lease, metadata["annotations"]),
    phase: text(status["phase"]) ?? "Pending",
    restartPolicy: text(spec["restartPolicy"]) ?? "Always",
    graceSeconds: integer(spec["terminationGracePeriodSeconds"]) ?? DEFAULT_GRACE_SECONDS,
    collected: isDisrupted(status, "DeletionByPodGC"),
    ...(isDisrupted(status, "TerminationByKubelet") && { isEndedByKubelet: true }),
    selfFencing: keeper?.hasRestartRules ?? false,
    stopMs: keeperStopMs(spec),
    gated: isGated(spec),
    ...(hasOtherGates(spec) && { hasOtherGates: true }),
    ...(isKeeperPatched && { isKeeperPatched }),
    ...(integer(spec["activeDeadlineSeconds"]) !== undefined && { hasDeadline: true }),
    main: [...init.slice(gateIndex + 1).filter(({ name }) => name !== KEEPER_CONTAINER), ...apps],
    ...defined({
      lease,
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
      restarts: integer(status["restartCount"]) || undefined,
      isBackingOff: record(state["waiting"])["reason"] === "CrashLoopBackOff" || undefined,
      // Only the gate's message matters to us.
      message: name === GATE_CONTAINER ? text(terminated["message"]) : undefined,
      restartPolicy: text(spec["restartPolicy"]),
    }),
  };
}

/** A pod that carries our scheduling gate but lacks our containers would run main without a hold once the gate is removed. */
function isGated(podSpec: Record<string, unknown>): boolean {
  const own = list(podSpec["initContainers"]).map(record).filter(isOwnContainer);
  return (
    own.length === 2 &&
    list(podSpec["schedulingGates"]).some((gate) => record(gate)["name"] === SCHEDULING_GATE)
  );
}

function hasOtherGates(podSpec: Record<string, unknown>): boolean {
  return list(podSpec["schedulingGates"]).some((gate) => record(gate)["name"] !== SCHEDULING_GATE);
}

function initContainerOf(podSpec: Record<string, unknown>, name: string): Record<string, unknown> {
  return record(list(podSpec["initContainers"]).find((container) => record(container)["name"] === name));
}

function keeperStopMs(podSpec: Record<string, unknown>): number {
  const variable = list(initContainerOf(podSpec, KEEPER_CONTAINER)["env"])
    .map(record)
    .find(({ name }) => name === ENV.stopMs);
  const stopMs = Number(text(variable?.["value"]));
  return Number.isFinite(stopMs) ? stopMs : 0;
}

/**
 * Who disrupts the pod, and why, says this condition (KEP-3329). The pod garbage collector sets it on pods that it marks Failed, and knows
 * nothing of containers. A kubelet sets it as it begins to end a pod for want of resources, or since its node shuts down.
 */
function isDisrupted(status: Record<string, unknown>, reason: string): boolean {
  return list(status["conditions"]).some((entry) => {
    const condition = record(entry);
    return (
      condition["type"] === "DisruptionTarget" &&
      condition["status"] === "True" &&
      condition["reason"] === reason
    );
  });
}

export function isTerminal(pod: PodView): boolean {
  return pod.phase === "Succeeded" || pod.phase === "Failed";
}

/** Whether its user has the pod wait before it is scheduled, and its gate has not started yet. */
export function isUnscheduled({ gated, mode, gate }: PodView): boolean {
  const isLate = mode.gate === "scheduling" || mode.ifHeld === "skip";
  return gated || (isLate && gate?.startedMs === undefined);
}

/** Whether it runs under the hold of its Job. */
export function waitsForJob({ mode }: Pick<PodView, "mode">): boolean {
  return mode.gate === "job";
}

/** Whose hold the pod runs under: its own, or its Job's; undefined if it has lost that Job. */
export function claimantOf(pod: PodView): ClaimantRef | undefined {
  const { name, uid, job } = pod;
  if (!waitsForJob(pod)) return { kind: "Pod", name, uid };
  return job && { kind: "Job", ...job };
}

/** The pod, without what its status says of any run of its gate other than `gateRun`. */
export function sinceRun(pod: PodView, gateRun: string | undefined): PodView {
  const { gate } = pod;
  if (!gate || (gateRun !== undefined && passedRun(gate.message) === gateRun)) return pod;
  const { message: _, ...others } = gate;
  return { ...pod, gate: others };
}

/** Whether this run of its gate, or a later one, was seen to let the pod through: nobody waits for an answer to it any more. */
export function hasPassed({ gate }: PodView, gateRun: string | undefined): boolean {
  const passed = passedRun(gate?.message);
  return gateRun !== undefined && (passed === gateRun || isEarlierRun(gateRun, passed));
}

/** Whether a grant could still be of use to it. */
export function canUseGrant(pod: PodView): boolean {
  return pod.deletionMs === undefined && !isTerminal(pod);
}

/** Whether its gate let it through: from here on main may be running, whatever the rest of the status says. */
export function isPastGate(pod: PodView): boolean {
  return pod.gate?.state === "terminated" && pod.gate.exitCode === 0;
}
