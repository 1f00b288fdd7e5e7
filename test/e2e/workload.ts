import { LEASE_LABEL } from "../../src/shared/names.ts";
import type { Journal } from "./journal.ts";
import { journalFunction, napFunction } from "./journal.ts";

export const BUSYBOX_IMAGE = "konductor.test/busybox:1";

export interface Workload {
  namespace: string;
  name: string;
  /** Left out: no label. */
  lease?: string;
  annotations?: Readonly<Record<string, string>>;
  journal: Journal;
  /** How long main works; undefined: until SIGTERM. */
  runsForSeconds?: number;
  /** The path of a file: main works until it exists. */
  runsUntil?: string;
  exitCode?: number;
  /** The first run of each pod exits with 1. */
  failsAtFirst?: boolean;
  /** A shell command that sets `token` to the fencing token, for the journal. */
  readToken?: string;
  /** How main reacts to SIGTERM: it ends at once, after so many seconds, or never. */
  onTerm?: "end" | "ignore" | { afterSeconds: number };
  restartPolicy?: "Never" | "OnFailure" | "Always";
  graceSeconds?: number;
  /** Merged into the main container. */
  container?: Readonly<Record<string, unknown>>;
  /** Merged into the pod's spec. */
  spec?: Readonly<Record<string, unknown>>;
}

/** A shell program that writes a sign of life every 100 ms and reacts to TERM as configured. */
export function mainScript(workload: Workload): string {
  const { journal, runsForSeconds, runsUntil, exitCode = 0, failsAtFirst = false } = workload;
  const { readToken, onTerm = "end" } = workload;
  const hasRun = `${journal.path}.$HOSTNAME.ran`;
  const onTermScript =
    onTerm === "end"
      ? "j end; exit 143"
      : onTerm === "ignore"
        ? "j term"
        : `j term; i=0; while [ $i -lt ${onTerm.afterSeconds * 10} ]; do j beat; nap; i=$((i+1)); done; j end; exit 143`;
  const turns = [
    ...(runsForSeconds === undefined ? [] : [`[ $n -lt ${Math.round(runsForSeconds * 10)} ]`]),
    ...(runsUntil === undefined ? [] : [`[ ! -e ${runsUntil} ]`]),
  ];
  return [
    journalFunction(journal.path),
    napFunction(journal.path),
    ...(readToken ? [readToken] : []),
    `trap '${onTermScript}' TERM`,
    "j start",
    `n=0; while ${turns.join(" && ") || "true"}; do j beat; nap; n=$((n+1)); done`,
    "j end",
    ...(failsAtFirst ? [`[ -e ${hasRun} ] || { : > ${hasRun}; exit 1; }`] : []),
    `exit ${exitCode}`,
  ].join("\n");
}

/** The pod template of `workload`, labelled if it has a Lease. */
export function podTemplate(workload: Workload) {
  const { lease, annotations, journal, restartPolicy = "Never", graceSeconds = 30 } = workload;
  const { container, spec } = workload;
  return {
    metadata: {
      ...(lease && { labels: { [LEASE_LABEL]: lease } }),
      ...(annotations && { annotations }),
    },
    spec: {
      restartPolicy,
      terminationGracePeriodSeconds: graceSeconds,
      automountServiceAccountToken: false,
      containers: [
        {
          name: "main",
          image: BUSYBOX_IMAGE,
          imagePullPolicy: "IfNotPresent",
          command: ["sh", "-c", mainScript(workload)],
          volumeMounts: [{ name: "journal", mountPath: journal.dir }],
          ...container,
        },
      ],
      volumes: [{ name: "journal", hostPath: { path: journal.dir } }],
      ...spec,
    },
  };
}

export function job(workload: Workload, spec: Readonly<Record<string, unknown>> = {}) {
  const { namespace, name } = workload;
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { namespace, name },
    spec: { backoffLimit: 0, template: podTemplate(workload), ...spec },
  };
}

export function pod(workload: Workload) {
  const { namespace, name } = workload;
  const { metadata, spec } = podTemplate(workload);
  return { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, namespace, name }, spec };
}
