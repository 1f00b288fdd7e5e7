import { record, text } from "../shared/json.ts";
import type { KubeClient } from "./api.ts";
import type { Caches } from "./caches.ts";

/** `--self-fencing`: decide by what the cluster says, or by what the admin says. */
export const SELF_FENCING_MODES = ["auto", "always", "never"] as const;
export type SelfFencingMode = (typeof SELF_FENCING_MODES)[number];

/** The kubelet feature by which a keeper stops its pod without the API server's help (KEP-5532). */
const RESTART_ALL_CONTAINERS = "RestartAllContainersOnContainerExits";
/** The first version whose API server accepts the rule without a feature gate being switched on. */
const FIRST_MINOR = 36;

/** What this cluster can do, as admission needs to know it for each pod. */
export interface ClusterFeatures {
  readonly selfFencing: boolean;
  /** Asks the server for its version again. */
  refresh(): Promise<void>;
}

export interface ClusterFeaturesOptions {
  client: KubeClient;
  nodes: Caches["nodes"];
  mode: SelfFencingMode;
}

/**
 * Follows the cluster live. With `auto` the rule is injected only where the server is new enough and every schedulable node declares
 * the feature: a pod that carries it stays Pending where no node does.
 */
export function createClusterFeatures({ client, nodes, mode }: ClusterFeaturesOptions): ClusterFeatures {
  let isServerNewEnough = false;
  return {
    get selfFencing() {
      if (mode !== "auto") return mode === "always";
      const schedulable = nodes.store.list().filter((node) => node.schedulable);
      const allDeclare = schedulable.every(({ declaredFeatures }) =>
        declaredFeatures.includes(RESTART_ALL_CONTAINERS),
      );
      return isServerNewEnough && schedulable.length > 0 && allDeclare;
    },
    async refresh() {
      isServerNewEnough = isNewEnough(record(await client.raw("GET", "/version")));
    },
  };
}

/** Managed clusters write minors such as "36+". */
function isNewEnough(version: Record<string, unknown>): boolean {
  const major = Number.parseInt(text(version["major"]) ?? "", 10);
  const minor = Number.parseInt(text(version["minor"]) ?? "", 10);
  return major > 1 || (major === 1 && minor >= FIRST_MINOR);
}
