/** Labelled pods that can never work, each refused with one sentence that names the field, its value and what is allowed. */
import type { Settings } from "../../lease/settings.ts";
import { KonductorError } from "../../shared/errors.ts";
import {
  ANNOTATION,
  GATE_CONTAINER,
  KEEPER_CONTAINER,
  LEASE_LABEL,
  STATE_VOLUME,
  TOKEN_VOLUME,
} from "../../shared/names.ts";
import { isOwnContainer } from "./containers.ts";
import type { AdmissionContext } from "./context.ts";
import type { Metadata, PodSpec } from "./objects.ts";

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
export function refuseNodeName({ gate }: Settings, { nodeName }: PodSpec, path: Path): void {
  if (gate !== "scheduling" || nodeName === undefined) return;
  throw new KonductorError(
    "Invalid",
    `${path}spec.nodeName: Invalid value: ${JSON.stringify(nodeName)}: with ${ANNOTATION.gate} "scheduling" no node may be named; ` +
      "leave it out, or the annotation",
  );
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
    if (name === TOKEN_VOLUME || name === STATE_VOLUME) refuse(`spec.volumes[${index}].name`, name, reserved);
  }
}
