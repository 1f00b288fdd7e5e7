/** The objects that the admission tests send, and functions that read what the API server stored. */
import { list, record } from "../../src/shared/json.ts";
import { LEASE_LABEL } from "../../src/shared/names.ts";

/** PodSecurity `restricted`; a quota that requires requests and limits; and a LimitRange with defaults. */
export const NAMESPACES = {
  restricted: "admission-restricted",
  quota: "admission-quota",
  range: "admission-range",
  narrow: "admission-narrow",
};
export const LABELLED = { [LEASE_LABEL]: "nightly" };

const SECURITY_CONTEXT = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  runAsNonRoot: true,
  seccompProfile: { type: "RuntimeDefault" },
};

export function container(name: string, more: object = {}) {
  return { name, image: "busybox:1", command: ["true"], securityContext: SECURITY_CONTEXT, ...more };
}

export function podSpec(more: object = {}) {
  return {
    automountServiceAccountToken: false,
    initContainers: [container("setup"), container("logs", { restartPolicy: "Always" })],
    containers: [
      container("main", { env: [{ name: "A", value: "b" }], livenessProbe: { tcpSocket: { port: 1 } } }),
    ],
    volumes: [{ name: "data", emptyDir: {} }],
    ...more,
  };
}

export interface Marks {
  labels?: object;
  annotations?: object;
}

export function pod(
  name: string,
  marks: Marks = { labels: LABELLED },
  spec: object = {},
  namespace = NAMESPACES.restricted,
) {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace, ...marks }, spec: podSpec(spec) };
}

export function job(name: string, marks: Marks, template: Marks = {}) {
  const spec = { template: { metadata: template, spec: podSpec({ restartPolicy: "Never" }) } };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace: NAMESPACES.restricted, ...marks },
    spec,
  };
}

export function cronJob(name: string, marks: Marks, template: Marks = {}) {
  const metadata = { name, namespace: NAMESPACES.restricted, ...marks };
  const spec = { schedule: "0 0 1 1 *", jobTemplate: { spec: job("", {}, template).spec } };
  return { apiVersion: "batch/v1", kind: "CronJob", metadata, spec };
}

export function quota() {
  const hard = { "requests.cpu": "8", "requests.memory": "8Gi", "limits.cpu": "8", "limits.memory": "8Gi" };
  const metadata = { name: "all", namespace: NAMESPACES.quota };
  return { apiVersion: "v1", kind: "ResourceQuota", metadata, spec: { hard } };
}

export function limitRange() {
  const limits = [{ type: "Container", default: { cpu: "500m", memory: "256Mi" }, min: { memory: "32Mi" } }];
  const metadata = { name: "all", namespace: NAMESPACES.range };
  return { apiVersion: "v1", kind: "LimitRange", metadata, spec: { limits } };
}

/** A LimitRange whose memory range excludes konductor's own values, and which requires a limit for cpu. */
export function narrowRange() {
  const limits = [
    {
      ...{ type: "Container", min: { cpu: "50m", memory: "80Mi" }, max: { cpu: "2", memory: "100Mi" } },
      ...{ maxLimitRequestRatio: { cpu: "2", memory: "1" }, default: { cpu: "100m", memory: "100Mi" } },
    },
  ];
  const metadata = { name: "narrow", namespace: NAMESPACES.narrow };
  return { apiVersion: "v1", kind: "LimitRange", metadata, spec: { limits } };
}

export function containersOf(object: Record<string, unknown>): Record<string, unknown> {
  const spec = record(object["spec"]);
  const all = [...list(spec["initContainers"]), ...list(spec["containers"])].map(record);
  return Object.fromEntries(all.map((entry) => [String(entry["name"]), entry]));
}

export const metadataOf = (object: Record<string, unknown>) => record(object["metadata"]);
export const templateOf = (object: Record<string, unknown>) => {
  const spec = record(object["spec"]);
  const jobSpec = "jobTemplate" in spec ? record(record(spec["jobTemplate"])["spec"]) : spec;
  return metadataOf(record(jobSpec["template"]));
};
