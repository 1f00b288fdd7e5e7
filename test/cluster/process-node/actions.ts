/**
 * What to do next for a pod that is not being terminated, given only its spec and its containers. Ported from `computePodActions` and
 * `computeInitContainerActions` of kubelet 1.37 (pkg/kubelet/kuberuntime), without probes, resizes and RestartAllContainers.
 */
import { type Container, type Pod, shouldRestart } from "./pod.ts";
import type { PodRuns } from "./runs.ts";

export interface PodActions {
  /** Nothing is left to run: stop the containers that still run (the sidecars). In that case `start` is empty. */
  readonly killPod: boolean;
  /** In this order. An init container in back-off that is no sidecar delays those after it. */
  readonly start: readonly Container[];
}

export function nextActions(pod: Pod, runs: PodRuns): PodActions {
  const { initialized, failed, start } = initActions(pod, runs);
  if (failed) return { killPod: true, start: [] };
  if (!initialized) return { killPod: false, start };
  const mainsToStart = pod.containers.filter((container) => shouldBeStarted(pod, container, runs));
  const running = pod.containers.some(({ name }) => runs.get(name)?.latest.state === "running");
  if (!running && mainsToStart.length === 0) return { killPod: true, start: [] };
  return { killPod: false, start: [...start, ...mainsToStart] };
}

function shouldBeStarted(pod: Pod, container: Container, runs: PodRuns): boolean {
  const run = runs.get(container.name)?.latest;
  if (!run) return true;
  return run.state === "exited" && shouldRestart(pod, container, run.exitCode);
}

interface InitActions {
  readonly initialized: boolean;
  readonly failed: boolean;
  readonly start: readonly Container[];
}

/** Goes backwards: the last init container that ever ran shows how far the pod got; of those before it only sidecars matter. */
function initActions(pod: Pod, runs: PodRuns): InitActions {
  const [first] = pod.initContainers;
  if (!first) return { initialized: true, failed: false, start: [] };
  let initialized = pod.containers.some(({ name }) => runs.has(name));
  let laterOneRan = initialized;
  const start: Container[] = [];
  for (const [index, container] of [...pod.initContainers.entries()].reverse()) {
    const run = runs.get(container.name)?.latest;
    if (!run) {
      if (laterOneRan && container.sidecar) start.unshift(container);
      continue;
    }
    if (laterOneRan && !container.sidecar) continue;
    const next = pod.initContainers[index + 1];
    const done = run.state === "exited" && !container.sidecar && run.exitCode === 0;
    if (done || (run.state === "running" && container.sidecar)) {
      if (!next) initialized = true;
      else if (!laterOneRan) start.unshift(next);
    } else if (run.state === "exited") {
      if (!container.sidecar && !shouldRestart(pod, container, run.exitCode)) {
        return { initialized: false, failed: true, start: [] };
      }
      start.unshift(container);
    }
    laterOneRan = true;
  }
  return { initialized, failed: false, start: laterOneRan ? start : [first] };
}
