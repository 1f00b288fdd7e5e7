/** Events of nodes, and of the programs on them. */
import { PODS } from "../../../src/kube/resources.ts";
import { GATE_CONTAINER, KEEPER_CONTAINER } from "../../../src/shared/names.ts";
import { ADMIN } from "../admission.ts";
import { breakFor } from "../broken.ts";
import { metadataOf, NAMESPACE, withImage } from "../pod-object.ts";
import type { TruePod } from "../true-pod.ts";
import type { World } from "../world.ts";
import { type Event, holdOf, type Kind, nodeOf, pick, podOf } from "./event.ts";

export const NODES: Record<string, Kind> = {
  setNodeClock: {
    weight: 1,
    act(world, event) {
      const node = nodeOf(world, event);
      // A clock that is set back between two runs of a pod is a limit of proof.ts. So each clock is wrong from the beginning or not at all.
      if (node && !world.pods.some((pod) => pod.node === node && pod.hasRun))
        node.machine.wallErrorMs = ((event.kind % 17) - 8) * 900_000;
    },
  },
  cutNode: {
    weight: 5,
    profile: "harsh",
    act(world, event) {
      const node = nodeOf(world, event);
      if (node?.state === "up" && !isBlind(world, node.name))
        breakFor(world, event.what, 2 * event.ms, () => {
          world.setNode(node, "cut");
          return () => world.setNode(node, "up");
        });
    },
  },
  killNode: {
    weight: 1,
    profile: "harsh",
    act(world, event) {
      const node = nodeOf(world, event);
      const alive = world.nodes.filter(({ state }) => state !== "dead");
      if (node && alive.length > 1) world.setNode(node, "dead");
    },
  },
  deafen: {
    weight: 3,
    act(world, event) {
      const pod = podOf(world, event);
      if (pod)
        breakFor(world, event.what, event.ms, () => {
          pod.way.isDeaf = true;
          return () => {
            pod.way.isDeaf = false;
          };
        });
    },
  },
  lateCalls: {
    weight: 4,
    act(world, event) {
      const pod = podOf(world, event);
      if (pod)
        breakFor(world, event.what, 2_000 + event.ms / 4, () => {
          pod.way.late = () => ({ byMs: event.ms, twice: event.kind % 3 > 0 });
          return () => {
            pod.way.late = undefined;
          };
        });
    },
  },
  /** Delays some messages of two runs of one gate, each by another time. */
  jumble: {
    weight: 3,
    act(world, event) {
      const { random } = world;
      const pod = pick(
        world.pods.filter(({ gate }) => gate),
        event.who,
      );
      pod?.gate?.strikeAt(1 + (event.ms % 12), () => {
        if (event.kind % 3 === 0) pod.killGate();
        else pod.loseSandbox();
      });
      if (!pod || pod.way.late) return;
      breakFor(world, event.what, 4_000 + event.ms / 4, () => {
        pod.way.late = () =>
          random.chance(0.5) ? { byMs: random.between(200, 8_000), twice: random.chance(0.5) } : undefined;
        return () => {
          pod.way.late = undefined;
        };
      });
    },
  },
  fillNodes: {
    weight: 2,
    act(world, { ms }) {
      world.fullUntilMs = world.scheduler.nowMs() + ms;
    },
  },
  endAtDeadline: { weight: 0, act: (world, event) => podOf(world, event)?.endAtDeadline() },
  crashKeeper: {
    weight: 3,
    act(world, event) {
      const pod = podOf(world, event);
      if (pod?.node.state === "up" && isThere(world, pod)) pod.crashKeeper();
    },
  },
  patchKeeper: { weight: 2, act: (world, event) => patchImage(world, event, [KEEPER_CONTAINER]) },
  /** Only in tales: the gate gets the other image as well, so that the pod does not show that its keeper was stopped alone. */
  patchInjected: {
    weight: 0,
    act: (world, event) => patchImage(world, event, [GATE_CONTAINER, KEEPER_CONTAINER]),
  },
  strikeKeeper: {
    weight: 2,
    act(world, event) {
      const pod = podOf(world, event);
      pod?.keeper?.strikeAt(1 + (event.ms % 60), () => {
        if (pod.node.state === "up" && isThere(world, pod)) pod.crashKeeper();
      });
    },
  },
  strikeGate: {
    weight: 2,
    act(world, event) {
      const pod = podOf(world, event);
      pod?.gate?.strikeAt(1 + (event.ms % 30), () => pod.killGate());
    },
  },
  killGate: { weight: 2, act: (world, event) => podOf(world, event)?.killGate() },
  pauseGate: {
    weight: 2,
    act(world, event) {
      const gate = podOf(world, event)?.gate;
      if (gate && !gate.isPaused)
        breakFor(world, event.what, event.ms, () => {
          gate.pause();
          return () => gate.resume();
        });
    },
  },
  loseSandbox: { weight: 2, act: (world, event) => podOf(world, event)?.loseSandbox() },
};

function patchImage(world: World, event: Event, containers: readonly string[]): void {
  const { store } = world.cluster;
  const pod = podOf(world, event);
  // The pod's kubelet has to learn of the patch.
  if (pod?.node.state !== "up" || !isThere(world, pod)) return;
  const ref = { namespace: NAMESPACE, name: pod.name };
  const initContainers = withImage(store.find(PODS, ref), containers, "konductor:2");
  store.patch(ADMIN, PODS, ref, { type: "merge", body: { spec: { initContainers } } });
  pod.patchKeeper();
}

const isThere = ({ cluster: { store } }: World, { name, uid }: TruePod) =>
  metadataOf(store.find(PODS, { namespace: NAMESPACE, name }))["uid"] === uid;

/** Whether something runs on that node of which nothing else could tell. */
function isBlind(world: World, node: string): boolean {
  const hold = holdOf(world);
  return world.pods.some(
    (pod) =>
      pod.node.name === node &&
      !pod.isOver &&
      (hold?.isForced || (pod.main === "running" && !pod.keeper) || !isThere(world, pod)),
  );
}
