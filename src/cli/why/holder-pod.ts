/** Why a pod goes on holding, as its status says. Pure. */
import { isTerminal, type PodView } from "../../lease/pod.ts";
import { hasStarted, lingeringContainers } from "../../lease/proof.ts";
import type { Hold } from "../../lease/types.ts";
import { ifKnown } from "../known.ts";
import type { HolderFacts, HolderPodFacts } from "./facts.ts";
import { atAndAge, enumerate } from "./wording.ts";

export function whyPodHolds(
  { ref, pod, isNodeReady }: HolderPodFacts,
  hold: Hold,
  facts: HolderFacts,
): string[] {
  const { name, node } = ref;
  if (pod.is === "unread") return [`Whether pod ${name} still runs is not known: ${pod.why}.`];
  if (pod.is === "missing") {
    return [`The object of pod ${name} is gone, and nobody has seen that its containers have stopped.`];
  }
  const isDown = ifKnown(isNodeReady) === false;
  return [stateOfPod(pod.value, hold, facts), ...(isDown ? [`Its node ${node ?? ""} is not Ready.`] : [])];
}

function stateOfPod(pod: PodView, hold: Hold, { nowMs, namespace }: HolderFacts): string {
  const { name } = pod;
  if (pod.deletionMs !== undefined) {
    return `Pod ${name} is being deleted, and has until ${atAndAge(pod.deletionMs, nowMs)} to stop.`;
  }
  if (isTerminal(pod)) return `Pod ${name} has ended (${pod.phase}), so the next is granted in a moment.`;
  const lingering = lingeringContainers(pod, hold.token);
  if (lingering.length > 0) {
    return `Pod ${name} is kept by ${containers(lingering)}, although others have ended: a sidecar that does not end by itself keeps the klease.`;
  }
  const failing = pod.main.find(({ isBackingOff }) => isBackingOff);
  if (failing) {
    return `Pod ${name} keeps it while its container ${failing.name} crash-loops (${failing.restarts ?? 0} restarts), as that may work the next time; the annotation max-restarts would end that.`;
  }
  const running = pod.main
    .filter(({ kind, state }) => kind !== "sidecar" && state === "running")
    .map((each) => each.name);
  if (running.length > 0) {
    return `Pod ${name} keeps it while its ${containers(running)} ${running.length === 1 ? "runs" : "run"}.`;
  }
  if (!hasStarted(pod, hold.token) && pod.settings.ok) {
    const endMs = hold.acquiredMs + pod.settings.settings.startTimeoutMs;
    return `No container of pod ${name} has started yet, as kubectl describe pod ${name} -n ${namespace} shows; at ${atAndAge(endMs, nowMs)}, its start-timeout, it loses the klease.`;
  }
  return `The containers of pod ${name} are between two runs.`;
}

function containers(names: readonly string[]): string {
  return `${names.length === 1 ? "container" : "containers"} ${enumerate(names)}`;
}
