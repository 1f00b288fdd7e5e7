/**
 * How long the kubelet may take to stop a pod's containers after its keeper has exited to fence (KEP-5532,
 * RestartAllContainers): it sends TERM, then KILL 2 s later, to one container after the other, and waits for a kill that is
 * already going on, even that of a failed probe, which has the container's whole grace period.
 *
 * Limits: a kill that is going on because of a postStart hook is not covered (see {@link hasPostStart}), nor are ephemeral
 * containers beyond the first, since they arrive after admission.
 */
import { GATE_CONTAINER, KEEPER_CONTAINER } from "../shared/names.ts";

export interface StoppableProbe {
  terminationGracePeriodSeconds?: number;
}

/** The fields of a container that decide how long stopping it takes; a V1Container fits. */
export interface StoppableContainer {
  name: string;
  restartPolicy?: string;
  livenessProbe?: StoppableProbe;
  startupProbe?: StoppableProbe;
  lifecycle?: { postStart?: object };
}

/** The fields of a pod spec that decide how long stopping it takes; a V1PodSpec fits. */
export interface StoppablePodSpec {
  containers: readonly StoppableContainer[];
  initContainers?: readonly StoppableContainer[];
  terminationGracePeriodSeconds?: number;
}

const BASE_MS = 3_000;
const PER_CONTAINER_MS = 2_000;
const DEFAULT_GRACE_SECONDS = 30;

/** The longest time in ms that fencing this pod may take; our own two containers do not count. */
export function stopMs(spec: StoppablePodSpec): number {
  const others = longRunning(spec);
  const podGrace = spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  const longestProbeGrace = others
    .flatMap(({ livenessProbe, startupProbe }) => [livenessProbe, startupProbe])
    .filter((probe) => probe !== undefined)
    .reduce((longest, probe) => Math.max(longest, probe.terminationGracePeriodSeconds ?? podGrace), 0);
  return BASE_MS + PER_CONTAINER_MS * others.length + 1_000 * longestProbeGrace;
}

/** Whether a postStart hook can hold up a fence for as long as it pleases. */
export function hasPostStart(spec: StoppablePodSpec): boolean {
  return longRunning(spec).some(({ lifecycle }) => lifecycle?.postStart !== undefined);
}

/**
 * The containers that may run at one moment. A plain init container runs alone beside the sidecars, before any main
 * container does, so it never adds to their number. It may not have probes or hooks.
 */
function longRunning(spec: StoppablePodSpec): StoppableContainer[] {
  const sidecars = (spec.initContainers ?? []).filter(
    ({ name, restartPolicy }) =>
      restartPolicy === "Always" && name !== GATE_CONTAINER && name !== KEEPER_CONTAINER,
  );
  return [...sidecars, ...spec.containers];
}
