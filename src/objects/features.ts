import type { KubeClient } from "../kube/api.ts";
import { record, text } from "../shared/json.ts";
import type { Caches } from "./caches.ts";
import type { NodeView } from "./node-view.ts";
import { type Placement, readPlacement } from "./placement.ts";

/** `--self-fencing`: decide by what the cluster says, or by what the admin says. */
export const SELF_FENCING_MODES = ["auto", "always", "never"] as const;
export type SelfFencingMode = (typeof SELF_FENCING_MODES)[number];

/** The kubelet feature by which a keeper stops its pod without the API server's help (KEP-5532). */
const RESTART_ALL_CONTAINERS = "RestartAllContainersOnContainerExits";
/** The first version whose API server accepts the rule without a feature gate being switched on. */
export const FIRST_FENCING_MINOR = 36;

/** What this cluster can do, as admission needs to know it for each pod. */
export interface ClusterFeatures {
  /** Whether the keeper of this pod may be given the rule by which it stops it. */
  canFence(pod: Placement): boolean;
  /** Asks the server for its version again. */
  refresh(): Promise<void>;
}

export interface ClusterFeaturesOptions {
  client: KubeClient;
  nodes: Caches["nodes"];
  mode: SelfFencingMode;
}

/**
 * Follows the cluster live. With `auto` the rule is injected only if the server is new enough and every node that the pod may run on declares
 * the feature: a pod with the rule stays Pending where no node does. If no node suits the pod now (one is yet to be added), all schedulable
 * nodes have to declare it.
 */
export function createClusterFeatures({ client, nodes, mode }: ClusterFeaturesOptions): ClusterFeatures {
  let isServerNewEnough = false;
  return {
    canFence(pod) {
      if (mode !== "auto") return mode === "always";
      if (!isServerNewEnough) return false;
      // The pod bypasses the scheduler, so only its own node counts.
      if (pod.nodeName) return isAble(nodes.store.get(pod.nodeName));
      const schedulable = nodes.store.list().filter((node) => node.schedulable);
      if (schedulable.every(isAble)) return schedulable.length > 0;
      const mayRunOn = readPlacement(pod);
      const suited = mayRunOn ? schedulable.filter(mayRunOn) : [];
      return suited.length > 0 && suited.every(isAble);
    },
    async refresh() {
      isServerNewEnough = isNewEnough(record(await client.raw("GET", "/version")));
    },
  };
}

function isAble(node: NodeView | undefined): boolean {
  return node !== undefined && declaresFencing(node);
}

/** Whether a keeper on this node can stop its pod. */
export function declaresFencing({ declaredFeatures }: Pick<NodeView, "declaredFeatures">): boolean {
  return declaredFeatures.includes(RESTART_ALL_CONTAINERS);
}

/** Managed clusters write minors such as "36+". */
function isNewEnough(version: Record<string, unknown>): boolean {
  const major = Number.parseInt(text(version["major"]) ?? "", 10);
  const minor = Number.parseInt(text(version["minor"]) ?? "", 10);
  return major > 1 || (major === 1 && minor >= FIRST_FENCING_MINOR);
}
