/**
 * Puts gate, keeper and their volumes into a pod. Leaves the user's containers as they are, but for the mount that `token-file` asks for.
 */
import { isOwnContainer } from "../../lease/own-container.ts";
import { NO_OWN_RESOURCES } from "../../lease/own-resources.ts";
import { waitsUnscheduled } from "../../lease/settings.ts";
import type { ContainerLimits } from "../../objects/limit-ranges.ts";
import { record, text } from "../../shared/json.ts";
import { INJECTED_ANNOTATION, SCHEDULING_GATE } from "../../shared/names.ts";
import { type Injection, ownContainers, ownVolumes } from "./containers.ts";
import { withLeaseMount } from "./lease-volume.ts";
import { leadingMesh } from "./mesh.ts";
import type { Container, PodSpec, PodTemplate, Volume } from "./objects.ts";
import { withoutMarks } from "./own-marks.ts";
import type { PodPlan } from "./plan.ts";
import { ownResources } from "./resources.ts";

/**
 * The pod as it is to be stored. Idempotent: in a pod that was injected before, our containers and their place are restored. (Our webhook
 * is called again when another one changed the pod, and a manifest may be a copy of an injected pod.) A container that looks like ours may
 * be anybody's, so nothing stays in it that could change what it runs.
 */
export function injectPod(
  pod: PodTemplate,
  plan: PodPlan,
  injection: Injection,
  ranges: readonly ContainerLimits[] = [],
): PodTemplate {
  const { metadata, spec } = pod;
  const init = (spec.initContainers ?? []).filter((container) => !isOwnContainer(container));
  const existing = (spec.initContainers ?? []).filter(isOwnContainer);
  const containers = ownContainers(
    {
      lease: plan.settings.lease,
      selfFencing: plan.selfFencing,
      stopMs: plan.stopMs,
      rerun: spec.restartPolicy !== "Never",
      onLost: plan.settings.onLost,
      showsLease: plan.settings.tokenFile !== undefined,
      resources: ownResources(spec, [...spec.containers, ...init], {
        ranges,
        install: injection.resources,
        asked: plan.settings.resources ?? NO_OWN_RESOURCES,
      }),
    },
    injection,
  ).map((wanted) =>
    renewed(
      existing.find(({ name }) => name === wanted.name),
      wanted,
    ),
  );
  const place = leadingMesh(pod).length;
  const { tokenFile } = plan.settings;
  const users = (list: readonly Container[]) =>
    list.map((container) => (tokenFile ? withLeaseMount(container, tokenFile) : container));
  const volumes = ownVolumes(tokenFile !== undefined);
  return {
    ...pod,
    metadata: {
      ...metadata,
      annotations: {
        ...withoutMarks(metadata?.annotations),
        [SAFE_TO_EVICT]: safeVolumes(metadata?.annotations?.[SAFE_TO_EVICT], volumes),
        [INJECTED_ANNOTATION]: injection.version,
      },
    },
    spec: {
      ...spec,
      initContainers: [...init.slice(0, place), ...containers, ...users(init.slice(place))],
      containers: users(spec.containers),
      volumes: mergeBy("name", spec.volumes ?? [], volumes),
      ...pullSecrets(spec, injection),
      ...schedulingGates(spec, waitsUnscheduled(plan.settings)),
    },
  };
}

/** Tells autoscalers, which keep a node for its local volumes, which of them may be lost with it. */
const SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";

/** The volumes that the user names, and our own. */
function safeVolumes(given: string | undefined, volumes: readonly Volume[]): string {
  const own = volumes.filter(({ emptyDir }) => emptyDir !== undefined).map(({ name }) => name);
  return [...new Set([...(given?.split(",") ?? []), ...own])].filter((name) => name !== "").join(",");
}

/** The pod's pull Secrets and those of our image. The ServiceAccount's are there already, since the API server adds them first. */
function pullSecrets(
  { imagePullSecrets: given = [] }: PodSpec,
  { imagePullSecrets }: Injection,
): Pick<PodSpec, "imagePullSecrets"> {
  const own = imagePullSecrets.map((name) => ({ name }));
  return own.length === 0 ? {} : { imagePullSecrets: mergeBy("name", given, own) };
}

/** Our scheduling gate is there only where the settings ask for it: the arbiter would queue any pod that has it. */
function schedulingGates(
  { schedulingGates: given }: PodSpec,
  isWanted: boolean,
): Pick<PodSpec, "schedulingGates"> {
  if (!given && !isWanted) return {};
  const others = given?.filter(({ name }) => name !== SCHEDULING_GATE) ?? [];
  return { schedulingGates: isWanted ? mergeBy("name", given ?? [], [{ name: SCHEDULING_GATE }]) : others };
}

/** What others may set on our containers: the profiles of their nodes. Rights and user are ours to set. */
const CONFINEMENT = ["seLinuxOptions", "appArmorProfile", "windowsOptions"] as const;

/** The parts of an image reference that stay when a webhook has it pulled from a mirror: what comes after the last slash. */
function parseImage(image: unknown) {
  const [reference = "", digest] = (text(image) ?? "").split("@");
  const [name, tag] = reference.split("/").at(-1)?.split(":") ?? [];
  return { name, tag, digest };
}

/** Whether `image` is `wanted` from another registry: of the same tag, or of the same digest. */
function isMirrored(image: unknown, wanted: unknown): boolean {
  const [own, other] = [parseImage(wanted), parseImage(image)];
  if (own.name !== other.name) return false;
  if (own.digest !== undefined && other.digest !== undefined) return own.digest === other.digest;
  return own.tag !== undefined && own.tag === other.tag;
}

/** `wanted`, with what a VPA, a LimitRange, a policy, a mirror's webhook or the plugin AlwaysPullImages chose for `existing`. */
function renewed(existing: Container | undefined, wanted: Container): Container {
  if (!existing) return wanted;
  const { securityContext = {}, image } = existing;
  // Where the install names no user an SCC of OpenShift does.
  const identity =
    record(wanted.securityContext)["runAsUser"] === undefined ? ["runAsUser", "runAsGroup"] : [];
  const confinement = [...CONFINEMENT, ...identity]
    .filter((key) => key in securityContext)
    .map((key) => [key, securityContext[key]]);
  return {
    ...wanted,
    ...(isMirrored(image, wanted["image"]) && { image }),
    ...(existing["imagePullPolicy"] === "Always" && { imagePullPolicy: "Always" }),
    securityContext: { ...Object.fromEntries(confinement), ...wanted.securityContext },
    ...((existing.resources ?? wanted.resources) && { resources: existing.resources ?? wanted.resources }),
  };
}

/** `list` with each of `wanted` in the place of the entry that has its `key`, or at the end. */
function mergeBy<T extends Record<string, unknown>>(
  key: string,
  list: readonly T[],
  wanted: readonly T[],
): T[] {
  const replaced = list.map((entry) => wanted.find((other) => other[key] === entry[key]) ?? entry);
  const added = wanted.filter((other) => !list.some((entry) => entry[key] === other[key]));
  return [...replaced, ...added];
}
