/** Objects as the API server stores them, each with the fields that the arbiter reads. */
import { formatLeaseStatus } from "../../../src/lease/codec.ts";
import type { Lease, LeaseStatus } from "../../../src/lease/types.ts";
import {
  ANNOTATION,
  GATE_CONTAINER,
  gateProgram,
  KEEPER_CONTAINER,
  LEASE_LABEL,
  NODE_PATHS,
  SCHEDULING_GATE,
  SUSPENDED_ANNOTATION,
} from "../../../src/shared/names.ts";
import { microTime } from "../../../src/shared/times.ts";
import { aLease, NOW_MS } from "../lease/samples.ts";

const iso = (ms: number) => new Date(ms).toISOString();
const named = (name: string, uid: string) => ({ namespace: "ns", name, uid });

export function leaseObject(status: Partial<LeaseStatus>, spec: object = {}) {
  const lease: Lease = aLease({ lastToken: 41, lastRequest: "request-1", ...status });
  return {
    metadata: { ...named("nightly", lease.uid), generation: 1, creationTimestamp: iso(lease.createdMs) },
    spec: { ttl: "1m", ...spec },
    status: formatLeaseStatus(lease, lease.status, NOW_MS),
  };
}

interface PodOptions {
  gate?: string;
  gated?: boolean;
  job?: { name: string; uid: string };
  isRunning?: boolean;
  canFence?: boolean;
}

export function podObject(name: string, uid: string, options: PodOptions = {}) {
  const { gate, gated, job, isRunning, canFence } = options;
  const passed = { terminated: { exitCode: 0, finishedAt: iso(NOW_MS - 9_000), message: "acquired 41" } };
  const running = { running: { startedAt: iso(NOW_MS - 8_000) } };
  const restartPolicyRules = canFence ? [{}] : [];
  return {
    metadata: {
      ...named(name, uid),
      labels: { [LEASE_LABEL]: "nightly" },
      annotations: { [ANNOTATION.startTimeout]: "20s", ...(gate && { [ANNOTATION.gate]: gate }) },
      ownerReferences: job ? [{ apiVersion: "batch/v1", kind: "Job", controller: true, ...job }] : [],
    },
    spec: {
      nodeName: gated ? undefined : "node-1",
      schedulingGates: gated ? [{ name: SCHEDULING_GATE }] : [],
      restartPolicy: "Never",
      initContainers: [
        { name: GATE_CONTAINER, command: gateProgram(NODE_PATHS[0]), args: ["gate"] },
        {
          ...{ name: KEEPER_CONTAINER, command: gateProgram(NODE_PATHS[0]), args: ["keep"] },
          ...{ restartPolicy: "Always", restartPolicyRules },
        },
      ],
      containers: [{ name: "main" }],
    },
    status: {
      phase: isRunning ? "Running" : "Pending",
      initContainerStatuses: isRunning
        ? [
            { name: GATE_CONTAINER, state: passed },
            { name: KEEPER_CONTAINER, state: running },
          ]
        : [],
      containerStatuses: isRunning ? [{ name: "main", state: running }] : [],
    },
  };
}

export const jobObject = (
  name: string,
  uid: string,
  { suspend = true, isOurs = true, isOver = false } = {},
) => ({
  metadata: {
    ...named(name, uid),
    labels: { [LEASE_LABEL]: "nightly" },
    annotations: suspend && isOurs ? { [SUSPENDED_ANNOTATION]: "true" } : {},
  },
  spec: {
    suspend,
    template: {
      metadata: {
        labels: { [LEASE_LABEL]: "nightly" },
        annotations: { [ANNOTATION.gate]: "job", [ANNOTATION.startTimeout]: "20s" },
      },
    },
  },
  status: { conditions: isOver ? [{ type: "Failed", status: "True" }] : [] },
});

export const requestObject = (name: string, uid: string, spec: object = {}, status: object = {}) => ({
  metadata: { ...named(name, uid), labels: { [LEASE_LABEL]: "nightly" }, creationTimestamp: iso(NOW_MS) },
  spec: { lease: "nightly", holder: name, requestedAt: microTime(NOW_MS - 5_000), ...spec },
  status: { phase: "Pending", ...status },
});
