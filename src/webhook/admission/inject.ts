/**
 * Puts gate, keeper and their volumes into a pod, and leaves every container of the user as it is, but for the mount of a volume that
 * `token-file` asks for.
 */
import { waitsUnscheduled } from "../../lease/settings.ts";
import { INJECTED_ANNOTATION, SCHEDULING_GATE } from "../../shared/names.ts";
import { type Injection, isOwnContainer, ownContainers, ownVolumes } from "./containers.ts";
import { withLeaseMount } from "./lease-volume.ts";
import { countLeadingMesh } from "./mesh.ts";
import type { Container, PodTemplate } from "./objects.ts";
import type { PodPlan } from "./plan.ts";
import { ownResources } from "./resources.ts";

/**
 * The pod as it is to be stored. Idempotent: of a pod that was injected before (our webhook is called again when another one
 * changed the pod) what others added to our containers is kept, what is ours is brought up to date, and their place restored.
 */
export function injectPod(pod: PodTemplate, plan: PodPlan, injection: Injection): PodTemplate {
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
      resources: ownResources(spec, [...spec.containers, ...init]),
    },
    injection,
  ).map((wanted) =>
    renewed(
      existing.find(({ name }) => name === wanted.name),
      wanted,
    ),
  );
  const place = countLeadingMesh(init);
  const { tokenFile } = plan.settings;
  const users = (list: readonly Container[]) =>
    list.map((container) => (tokenFile ? withLeaseMount(container, tokenFile) : container));
  return {
    ...pod,
    metadata: {
      ...metadata,
      annotations: { ...metadata?.annotations, [INJECTED_ANNOTATION]: injection.version },
    },
    spec: {
      ...spec,
      initContainers: [...init.slice(0, place), ...containers, ...users(init.slice(place))],
      containers: users(spec.containers),
      volumes: mergeBy("name", spec.volumes ?? [], ownVolumes(tokenFile !== undefined)),
      ...(waitsUnscheduled(plan.settings) && {
        schedulingGates: mergeBy("name", spec.schedulingGates ?? [], [{ name: SCHEDULING_GATE }]),
      }),
    },
  };
}

/** `wanted`, and of `existing` what it does not speak of. Resources that somebody chose for it (VPA, a LimitRange) stay. */
function renewed(existing: Container | undefined, wanted: Container): Container {
  if (!existing) return wanted;
  const { restartPolicyRules: _, ...kept } = existing;
  return {
    ...kept,
    ...wanted,
    env: mergeBy("name", existing.env ?? [], wanted.env ?? []),
    volumeMounts: mergeBy("mountPath", existing.volumeMounts ?? [], wanted.volumeMounts ?? []),
    securityContext: { ...existing.securityContext, ...wanted.securityContext },
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
