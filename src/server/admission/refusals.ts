/** Labelled pods that can never work, each refused with one sentence that names the field, its value and what is allowed. */
import { isOwnContainer } from "../../lease/own-container.ts";
import { KonductorError } from "../../shared/errors.ts";
import { list, record } from "../../shared/json.ts";
import {
  GATE_CONTAINER,
  KEEPER_CONTAINER,
  LEASE_LABEL,
  LEASE_VOLUME,
  STATE_VOLUME,
  TOKEN_AUDIENCE,
  TOKEN_VOLUME,
  TRUST_VOLUME,
} from "../../shared/names.ts";
import type { AdmissionContext } from "./admission-context.ts";
import type { Path } from "./contradictions.ts";
import type { Metadata, PodSpec, Volume } from "./objects.ts";

/** Volumes that only gate and keeper may read: their content speaks for the pod. */
const SECRET_VOLUMES = [TOKEN_VOLUME, STATE_VOLUME, TRUST_VOLUME];
const OWN_VOLUMES = [...SECRET_VOLUMES, LEASE_VOLUME];

/** The kubelet's mark on the API server's copy of a static pod. */
const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";

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
  const token = otherToken(spec.volumes ?? []);
  const speaks =
    "a token of it speaks for the pod, and only konductor's own containers may read one; any other is allowed";
  if (token) refuse(token, TOKEN_AUDIENCE, speaks);
}

/** Which field of a volume that is not our own has the pod get a token like that of gate and keeper; undefined: none. */
function otherToken(volumes: readonly Volume[]): string | undefined {
  for (const [index, { name, projected }] of volumes.entries()) {
    if (name === TOKEN_VOLUME) continue;
    const place = list(record(projected)["sources"]).findIndex(
      (source) => record(record(source)["serviceAccountToken"])["audience"] === TOKEN_AUDIENCE,
    );
    if (place !== -1)
      return `spec.volumes[${index}].projected.sources[${place}].serviceAccountToken.audience`;
  }
  return undefined;
}
