/**
 * What admission decides about one labelled pod or pod template: whether its settings are consistent, how long it takes to stop, and
 * whether it can fence itself. Whatever cannot work is refused here, while somebody is looking.
 */
import { formatDuration } from "../../lease/duration.ts";
import { parseQuantity } from "../../lease/quantity.ts";
import { MIN_POD_TTL_MS, podTtlMs, readSettings, type Settings } from "../../lease/settings.ts";
import { hasPostStart, stopMs } from "../../lease/stop.ts";
import { KonductorError } from "../../shared/errors.ts";
import { ANNOTATION } from "../../shared/names.ts";
import type { AdmissionContext } from "./admission-context.ts";
import { type Bearer, type Path, refuseContradictions } from "./contradictions.ts";
import { refuseTakenPath } from "./lease-volume.ts";
import { leadingMesh } from "./mesh.ts";
import type { Metadata, PodSpec, PodTemplate } from "./objects.ts";
import { refuseImpossible, refuseNamespace } from "./refusals.ts";

export interface PodPlan {
  settings: Settings;
  /** The longest time that fencing it may take. */
  stopMs: number;
  /** Whether its keeper may stop it without the API server's help. */
  selfFencing: boolean;
  warnings: string[];
}

/** A pod with less memory than this has no room for main beside the keeper. */
const KEEPER_MEMORY_BYTES = 96 * 2 ** 20;

/** @throws KonductorError `Invalid` or `Forbidden`, one sentence, for what is refused. */
export function planPod(
  pod: PodTemplate,
  namespace: string,
  context: AdmissionContext,
  bearer: Bearer,
): PodPlan {
  const { metadata, spec } = pod;
  const { path } = bearer;
  const settings = requireSettings(metadata, `${path}metadata`);
  refuseNamespace(namespace, context);
  refuseImpossible(metadata, spec, path);
  refuseContradictions(pod, settings, bearer);
  refuseTakenPath(settings, pod, path);
  const stop = stopMs(spec);
  const lease = context.leases.get(namespace, settings.lease);
  const ttlMs = podTtlMs(settings, lease?.ttlMs);
  const obstacle = fencingObstacle(spec, settings, stop, ttlMs);
  const canFence = context.features().canFence(spec);
  return {
    settings,
    stopMs: stop,
    selfFencing: canFence && obstacle === undefined && settings.onLost === "terminate",
    warnings: [
      ...(lease
        ? shortLeaseWarning(settings, lease.ttlMs)
        : missingLeaseWarning(settings, namespace, ttlMs, context)),
      ...(canFence && obstacle && settings.onLost === "terminate" ? [obstacle] : []),
      ...deadlineWarning(metadata, spec.activeDeadlineSeconds, `${path}spec`),
      ...memoryWarning(spec, path),
      ...architectureWarning(spec, path, context),
      ...meshWarning(settings, pod, path),
      ...context.notices,
    ],
  };
}

/** The settings on `metadata`. */
export function requireSettings(metadata: Metadata | undefined, path: string): Settings {
  const result = readSettings(metadata ?? {}, path);
  if (!result.ok) throw new KonductorError("Invalid", result.problem);
  return result.settings;
}

/**
 * Waiting counts against activeDeadlineSeconds, which its author may not have thought of. A Job that waits as a whole is suspended meanwhile, and its
 * deadline counts from when it is resumed.
 */
export function deadlineWarning(
  metadata: Metadata | undefined,
  seconds: number | undefined,
  path: string,
): string[] {
  const { [ANNOTATION.ifHeld]: ifHeld, [ANNOTATION.gate]: gate } = metadata?.annotations ?? {};
  if (seconds === undefined || ifHeld !== undefined || gate === "job") return [];
  return [
    `${path}.activeDeadlineSeconds: waiting for the klease counts against these ${seconds}s; ` +
      `set the annotation ${ANNOTATION.ifHeld} to show that this is meant`,
  ];
}

/** Why the keeper could not stop this pod in time, as a warning; undefined where it could. */
function fencingObstacle(spec: PodSpec, settings: Settings, stop: number, ttlMs: number): string | undefined {
  const consequence = `if it loses touch with konductor, klease ${settings.lease} is handed on only once it has provably ended`;
  if (hasPostStart(spec)) {
    return `a container has a postStart hook, which may delay stopping it, so this pod cannot stop itself in time: ${consequence}`;
  }
  if (stop <= ttlMs / 2) return undefined;
  return (
    `stopping this pod may take ${formatDuration(stop)}, more than half of its ttl ${formatDuration(ttlMs)}: ${consequence}; ` +
    `${ANNOTATION.ttl} of at least ${formatDuration(2 * stop)} avoids that`
  );
}

/** On another processor the gate cannot start, and the pod waits for ever. */
function architectureWarning(
  { nodeSelector = {} }: PodSpec,
  path: Path,
  { imageArchitectures }: AdmissionContext,
): string[] {
  const wanted = nodeSelector["kubernetes.io/arch"];
  if (wanted === undefined || imageArchitectures.includes(wanted)) return [];
  return [
    `${path}spec.nodeSelector[kubernetes.io/arch]: konductor's image was built for ${imageArchitectures.join(", ")}; on ${wanted} its gate ` +
      "cannot start, and the pod waits for ever",
  ];
}

/** A memory limit of the whole pod is shared with the keeper, whose own limit would come too late. */
function memoryWarning({ resources }: PodSpec, path: Path): string[] {
  const given = resources?.limits?.["memory"];
  const bytes = parseQuantity(given);
  if (bytes === undefined || bytes >= KEEPER_MEMORY_BYTES) return [];
  return [
    `${path}spec.resources.limits.memory: ${given} is shared with konductor's keeper, which takes up to 60Mi: it may be killed for want of ` +
      "memory, and the pod be stopped; 96Mi and what main needs avoids that",
  ];
}

/** Names what may run without a hold. */
function meshWarning({ lease }: Settings, pod: PodTemplate, path: Path): string[] {
  const containers = leadingMesh(pod).map(({ name, mesh }) => `${name} (${mesh})`);
  if (containers.length === 0) return [];
  return [
    `${path}spec.initContainers: ${containers.join(", ")} may run before the pod holds klease ${lease}, as a service mesh's own`,
  ];
}

function shortLeaseWarning({ lease, ttlMs }: Settings, leaseTtlMs: number): string[] {
  if (ttlMs !== undefined || leaseTtlMs >= MIN_POD_TTL_MS) return [];
  const [given, least] = [formatDuration(leaseTtlMs), formatDuration(MIN_POD_TTL_MS)];
  return [
    `klease ${lease} has a ttl of ${given}; a pod holds it for at least ${least} after its last renewal`,
  ];
}

function missingLeaseWarning(
  { lease }: Settings,
  namespace: string,
  ttlMs: number,
  { createMissingLeases }: AdmissionContext,
): string[] {
  const missing = `klease ${lease} does not exist in namespace ${namespace}`;
  return createMissingLeases
    ? [`${missing}; it will be created with ttl ${formatDuration(ttlMs)}`]
    : [`${missing}; pods wait until somebody creates it`];
}
