/** A labelled pod as admission changes it, and as its kubelet reports it. */
import { list, record, text } from "../../src/shared/json.ts";
import {
  ENV,
  GATE_CONTAINER,
  GROUP,
  gateProgram,
  KEEPER_CONTAINER,
  LEASE_LABEL,
  NODE_PATHS,
  SCHEDULING_GATE,
} from "../../src/shared/names.ts";
import type { Json } from "./api/rules.ts";

export const NAMESPACE = "ns";
export const LEASE_NAME = "nightly";
/** How long the kubelet takes at most to stop main at a fence, as admission computes it for one container. */
export const STOP_MS = 5_000;

/** The image of gate and keeper. */
const IMAGE = "konductor:1";

export interface PodWish {
  name: string;
  restartPolicy: "Never" | "OnFailure";
  /** The pod's keeper carries the restart rule. */
  selfFencing: boolean;
  graceSeconds: number;
  /** The pod has `activeDeadlineSeconds`. */
  hasDeadline?: true;
  /** Annotations without the prefix `konductor.io/`. */
  annotations: Readonly<Record<string, string>>;
  /** How long main works, and the exit codes of its successive runs. Later runs exit with 0. */
  worksForMs: number;
  exitCodes: readonly number[];
  /** How long main takes to end when it is told to. */
  stopsWithinMs: number;
  /** The exit code of a main that ends when it is told to. */
  exitCodeAtTerm: number;
  node: number;
  /** A quota forbids everybody to make a request for the pod. */
  isRefused: boolean;
}

export function podObject(wish: PodWish, job?: { name: string; uid: string }): object {
  const { name, restartPolicy, selfFencing, graceSeconds, hasDeadline, annotations } = wish;
  const owner = job && { apiVersion: "batch/v1", kind: "Job", controller: true, ...job };
  const isGated = annotations["gate"] === "scheduling";
  return {
    metadata: {
      ...{ namespace: NAMESPACE, name },
      labels: { [LEASE_LABEL]: LEASE_NAME },
      annotations: prefixed(annotations),
      ...(owner && { ownerReferences: [owner] }),
    },
    spec: {
      ...{ restartPolicy, terminationGracePeriodSeconds: graceSeconds },
      ...(hasDeadline && { activeDeadlineSeconds: 3_600 }),
      ...(isGated && { schedulingGates: [{ name: SCHEDULING_GATE }] }),
      initContainers: [
        { name: GATE_CONTAINER, image: IMAGE, command: gateProgram(NODE_PATHS[0]), args: ["gate"] },
        {
          name: KEEPER_CONTAINER,
          ...{ image: IMAGE, command: gateProgram(NODE_PATHS[0]), args: ["keep"] },
          restartPolicy: "Always",
          env: [{ name: ENV.stopMs, value: String(STOP_MS) }],
          ...(selfFencing && { restartPolicyRules: [{ action: "RestartAllContainers" }] }),
        },
      ],
      containers: [{ name: "main" }],
    },
  };
}

/** The pod's init containers, of which those named run `image`. */
export const withImage = (pod: unknown, names: readonly string[], image: string): Json[] =>
  list(record(record(pod)["spec"])["initContainers"])
    .map(record)
    .map((container) => (names.includes(String(container["name"])) ? { ...container, image } : container));

export function prefixed(annotations: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).map(([name, value]) => [`${GROUP}/${name}`, value]));
}

/** A container of the pod as it truly is. */
export interface Container {
  state: "waiting" | "running" | "terminated";
  exitCode?: number;
  startedMs?: number;
  finishedMs?: number;
  message?: string;
}

export type Phase = "Pending" | "Running" | "Succeeded" | "Failed";

/** The status that the kubelet would write, by the node's clock, in whole seconds. */
export function podStatus(
  phase: Phase,
  { gate, keeper, main }: { gate: Container; keeper: Container; main: Container },
  wallErrorMs: number,
): Json {
  const time = (ms = 0) => `${new Date(ms + wallErrorMs).toISOString().slice(0, 19)}Z`;
  const shown = (name: string, { state, exitCode, startedMs, finishedMs, message }: Container) => {
    if (state === "running") return { name, state: { running: { startedAt: time(startedMs) } } };
    if (state === "waiting") return { name, state: { waiting: {} } };
    const ended = { exitCode, startedAt: time(startedMs), finishedAt: time(finishedMs) };
    return { name, state: { terminated: { ...ended, ...(message !== undefined && { message }) } } };
  };
  return {
    phase,
    initContainerStatuses: [shown(GATE_CONTAINER, gate), shown(KEEPER_CONTAINER, keeper)],
    containerStatuses: [shown("main", main)],
  };
}

export const metadataOf = (object: unknown): Json => record(record(object)["metadata"]);

export const phaseOf = (object: unknown): string | undefined =>
  text(record(record(object)["status"])["phase"]);
