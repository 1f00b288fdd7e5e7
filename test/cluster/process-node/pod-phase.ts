/** A port of `getPhase` of kubelet 1.37 with its default feature gates, without static pods. */

import type { ContainerStatus, Terminated } from "./container-status.ts";
import { type Container, type Phase, type Pod, shouldRestart } from "./pod.ts";

export interface PhaseInput {
  readonly statuses: ReadonlyMap<string, ContainerStatus>;
  /** The pod's containers will not be restarted, whatever their restart policy. */
  readonly terminated: boolean;
}

export function podPhase(pod: Pod, { statuses, terminated }: PhaseInput): Phase {
  const found = (containers: readonly Container[]) =>
    containers.flatMap((container) => {
      const status = statuses.get(container.name);
      return status ? [{ container, status, ended: endOf(status) }] : [];
    });
  const inits = found(pod.initContainers.filter(({ sidecar }) => !sidecar));
  const sidecars = found(pod.initContainers.filter(({ sidecar }) => sidecar));
  const mains = found(pod.containers);

  const failedForGood = inits.some(
    ({ container, ended }) => ended && ended.exitCode !== 0 && !shouldRestart(pod, container, ended.exitCode),
  );
  if (failedForGood) return "Failed";

  const initPending = inits.some(({ ended }) => !ended);
  const sidecarWaiting = sidecars.some(({ status, ended }) => !status.state.running && !ended);
  const mainWaiting = mains.some(({ status, ended }) => !status.state.running && !ended);
  if (initPending || sidecarWaiting || mainWaiting) return "Pending";

  if ([...sidecars, ...mains].some(({ status }) => status.state.running)) return "Running";
  const succeeded = mains.every(({ ended }) => ended?.exitCode === 0);
  const restarting = mains.some(
    ({ container, ended }) => ended && shouldRestart(pod, container, ended.exitCode),
  );
  if (restarting && !terminated) return "Running";
  return succeeded ? "Succeeded" : "Failed";
}

/** How the container last ended; undefined while it runs, and if it never ran. */
function endOf({ state, lastState }: ContainerStatus): Terminated | undefined {
  if (state.running) return undefined;
  return state.terminated ?? lastState.terminated;
}
