/** Labelled pods that can never work, each refused with one sentence that names the field, its value and what is allowed. */
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
import { isOwnContainer } from "./containers.ts";
import type { AdmissionContext } from "./context.ts";
import type { Metadata, PodSpec } from "./objects.ts";

const OWN_VOLUMES = [TOKEN_VOLUME, STATE_VOLUME, LEASE_VOLUME];

/** The kubelet's mark on the API server's copy of a static pod. */
const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";

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
export function refuseSkip(
  metadata: Metadata | undefined,
  path: Path,
  job: { managedBy?: string | undefined } | undefined,
): void {
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
  for (const [index, { name }] of spec.containers.entries()) {
    if (ownNames.includes(name)) refuse(`spec.containers[${index}].name`, name, reserved);
  }
  for (const [index, container] of (spec.initContainers ?? []).entries()) {
    if (ownNames.includes(container.name) && !isOwnContainer(container)) {
      refuse(`spec.initContainers[${index}].name`, container.name, reserved);
    }
  }
  for (const [index, { name }] of (isInjected ? [] : (spec.volumes ?? [])).entries()) {
    if (OWN_VOLUMES.includes(name)) refuse(`spec.volumes[${index}].name`, name, reserved);
  }
}
