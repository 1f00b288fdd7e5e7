/** Labelled pods that can never work, each refused with one sentence that names the field, its value and what is allowed. */
import { isOwnContainer } from "../../lease/own-container.ts";
import { type Settings, waitsUnscheduled } from "../../lease/settings.ts";
import { KonductorError } from "../../shared/errors.ts";
import {
  ANNOTATION,
  GATE_CONTAINER,
  KEEPER_CONTAINER,
  LEASE_LABEL,
  LEASE_VOLUME,
  STATE_VOLUME,
  TOKEN_VOLUME,
} from "../../shared/names.ts";
import type { AdmissionContext } from "./context.ts";
import type { Metadata, PodSpec } from "./objects.ts";

/** What only gate and keeper may read: it speaks for the pod. */
const SECRET_VOLUMES = [TOKEN_VOLUME, STATE_VOLUME];
const OWN_VOLUMES = [TOKEN_VOLUME, STATE_VOLUME, LEASE_VOLUME];

/** The kubelet's mark on the API server's copy of a static pod. */
const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";

/** What of a Job decides whether it can be skipped, or wait as a whole. */
export interface JobWishes {
  managedBy?: string | undefined;
  parallelism?: number | undefined;
}

/** Where a template stands in the object that the user wrote: "" for a pod, else e.g. "spec.template.". */
export type Path = string;

/** @throws KonductorError `Forbidden` in a namespace that must work while konductor does not. */
export function refuseNamespace(
  namespace: string,
  { systemNamespaces }: Pick<AdmissionContext, "systemNamespaces">,
): void {
  if (!systemNamespaces.includes(namespace)) return;
  throw new KonductorError(
    "Forbidden",
    `the label ${LEASE_LABEL} is not allowed in namespace ${namespace}: what a cluster needs to run must not wait for konductor`,
  );
}

/** @throws KonductorError `Invalid` for a pod that is to wait for its scheduling, and has its node already. */
export function refuseNodeName(settings: Settings, { nodeName }: PodSpec, path: Path): void {
  if (!waitsUnscheduled(settings) || nodeName === undefined) return;
  const annotation =
    settings.gate === "scheduling" ? `${ANNOTATION.gate} "scheduling"` : `${ANNOTATION.ifHeld} "skip"`;
  throw new KonductorError(
    "Invalid",
    `${path}spec.nodeName: Invalid value: ${JSON.stringify(nodeName)}: with ${annotation} no node may be named; ` +
      "leave it out, or the annotation",
  );
}

/**
 * Only a Job can end without having run.
 * @throws KonductorError `Invalid` for anything else that is to be skipped, and for a Job that Kubernetes does not end itself.
 */
export function refuseSkip(metadata: Metadata | undefined, path: Path, job: JobWishes | undefined): void {
  const value = metadata?.annotations?.[ANNOTATION.ifHeld];
  if (value !== "skip") return;
  const refuse = (field: string, wrong: string, rule: string) => {
    throw new KonductorError("Invalid", `${field}: Invalid value: ${JSON.stringify(wrong)}: ${rule}`);
  };
  if (!job) {
    const rule = "only the pods of a Job can be skipped; wait or fail is allowed";
    refuse(`${path}metadata.annotations[${ANNOTATION.ifHeld}]`, value, rule);
  }
  const { managedBy = KUBERNETES_JOB_CONTROLLER } = job ?? {};
  if (managedBy !== KUBERNETES_JOB_CONTROLLER) {
    refuse(
      "spec.managedBy",
      managedBy,
      `with ${ANNOTATION.ifHeld} "skip" only Kubernetes' own Job controller is allowed`,
    );
  }
}

const KUBERNETES_JOB_CONTROLLER = "kubernetes.io/job-controller";

/** Of more pods the list of those that may run would not fit into the klease. */
const MAX_PARALLELISM = 500;

/**
 * With `gate: job` it is the Job that waits.
 * @throws KonductorError `Invalid` for what is no Job, for one that Kubernetes does not suspend itself, for more pods than one hold can
 * keep count of, and for wishes that only a pod which waits by itself can have.
 */
export function refuseJobGate(
  { gate, onLost, renew }: Settings,
  path: Path,
  job: JobWishes | undefined,
): void {
  if (gate !== "job") return;
  const refuse = (field: string, wrong: unknown, rule: string) => {
    throw new KonductorError("Invalid", `${field}: Invalid value: ${JSON.stringify(wrong)}: ${rule}`);
  };
  const annotation = (name: string) => `${path}metadata.annotations[${name}]`;
  const withGate = `with ${ANNOTATION.gate} "job"`;
  if (!job) {
    refuse(
      annotation(ANNOTATION.gate),
      gate,
      "only a Job can wait as a whole; init or scheduling is allowed",
    );
  }
  const { managedBy = KUBERNETES_JOB_CONTROLLER, parallelism = 1 } = job ?? {};
  if (managedBy !== KUBERNETES_JOB_CONTROLLER) {
    refuse("spec.managedBy", managedBy, `${withGate} only Kubernetes' own Job controller is allowed`);
  }
  refuseParallelism(parallelism);
  if (onLost !== "terminate") {
    refuse(annotation(ANNOTATION.onLost), onLost, `${withGate} only terminate is allowed`);
  }
  if (!renew) {
    refuse(
      annotation(ANNOTATION.renew),
      "false",
      `${withGate} only true is allowed, since every pod that starts renews the hold`,
    );
  }
}

/** @throws KonductorError `Invalid` for more pods than the hold of a Job can keep count of. */
export function refuseParallelism(parallelism: number): void {
  if (parallelism <= MAX_PARALLELISM) return;
  throw new KonductorError(
    "Invalid",
    `spec.parallelism: Invalid value: ${parallelism}: with ${ANNOTATION.gate} "job" at most ${MAX_PARALLELISM} is allowed`,
  );
}

/** @throws KonductorError `Invalid` for a limit to waiting that has no gate to keep it, or nothing to limit. */
export function refuseIdleLimit(
  { ifHeld, gate }: Settings,
  metadata: Metadata | undefined,
  path: Path,
): void {
  const refuse = (name: string, rule: string) => {
    const value = JSON.stringify(metadata?.annotations?.[name]);
    throw new KonductorError(
      "Invalid",
      `${path}metadata.annotations[${name}]: Invalid value: ${value}: ${rule}`,
    );
  };
  const isLimited = metadata?.annotations?.[ANNOTATION.waitTimeout] !== undefined;
  if (isLimited && ifHeld !== "wait") {
    refuse(
      ANNOTATION.waitTimeout,
      `with ${ANNOTATION.ifHeld} "${ifHeld}" nobody waits; leave one of the two out`,
    );
  }
  if (gate === "init") return;
  const rule = `the gate that would fail does not run before the pod holds, with ${ANNOTATION.gate} "${gate}"; "init" is allowed`;
  if (isLimited) refuse(ANNOTATION.waitTimeout, rule);
  if (ifHeld === "fail") refuse(ANNOTATION.ifHeld, rule);
}

/** @throws KonductorError `Invalid` for a pod that cannot wait, or that uses names of ours. */
export function refuseImpossible(metadata: Metadata | undefined, spec: PodSpec, path: Path): void {
  const refuse = (field: string, value: string, rule: string) => {
    throw new KonductorError("Invalid", `${path}${field}: Invalid value: ${JSON.stringify(value)}: ${rule}`);
  };
  const mirror = metadata?.annotations?.[MIRROR_ANNOTATION];
  if (mirror !== undefined) {
    const rule = `a static pod cannot wait for a klease; remove the label ${LEASE_LABEL} from its manifest`;
    refuse(`metadata.annotations[${MIRROR_ANNOTATION}]`, mirror, rule);
  }
  const windows = `only Linux pods are allowed to carry the label ${LEASE_LABEL}`;
  if (spec.os?.name === "windows") refuse("spec.os.name", "windows", windows);
  if (spec.nodeSelector?.["kubernetes.io/os"] === "windows") {
    refuse("spec.nodeSelector[kubernetes.io/os]", "windows", windows);
  }
  const isInjected = spec.initContainers?.some(isOwnContainer) ?? false;
  const reserved = "the name is konductor's own; any other is allowed";
  const ownNames = [GATE_CONTAINER, KEEPER_CONTAINER];
  for (const field of ["containers", "initContainers"] as const) {
    for (const [index, container] of (spec[field] ?? []).entries()) {
      if (field === "initContainers" && isOwnContainer(container)) continue;
      const at = `spec.${field}[${index}]`;
      if (ownNames.includes(container.name)) refuse(`${at}.name`, container.name, reserved);
      for (const [place, { name }] of (container.volumeMounts ?? []).entries()) {
        const wrong = SECRET_VOLUMES.find((own) => own === name);
        if (wrong)
          refuse(`${at}.volumeMounts[${place}].name`, wrong, "only konductor's own containers may mount it");
      }
    }
  }
  for (const [index, { name }] of (isInjected ? [] : (spec.volumes ?? [])).entries()) {
    if (OWN_VOLUMES.includes(name)) refuse(`spec.volumes[${index}].name`, name, reserved);
  }
}
