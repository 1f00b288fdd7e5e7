/** On which nodes a pod may run, as far as its nodeSelector and tolerations say so. */
import { list, record, text } from "../shared/json.ts";
import type { NodeView, Taint } from "./node-view.ts";

/** Of a pod's spec. */
export interface Placement {
  [field: string]: unknown;
  nodeName?: string | undefined;
  nodeSelector?: Readonly<Record<string, string>> | undefined;
}

/** Whether the scheduler could put a Linux pod there now. Affinity is not looked at, so the pod may still never run there. */
export type MayRunOn = (node: NodeView) => boolean;

const OS_LABEL = "kubernetes.io/os";
/** More than anybody needs. The pod is not admitted yet, and each entry is compared with each node. */
const MOST_SELECTED = 64;
const MOST_TOLERATED = 128;

/** Reads once what is then asked of every node; undefined if there is more than can be looked at. */
export function readPlacement({ nodeSelector = {}, tolerations }: Placement): MayRunOn | undefined {
  const selected = Object.entries(nodeSelector);
  const tolerated = list(tolerations);
  if (selected.length > MOST_SELECTED || tolerated.length > MOST_TOLERATED) return undefined;
  const tolerates = tolerated.map(readToleration);
  return ({ labels, taints, schedulable }) =>
    schedulable &&
    (labels[OS_LABEL] ?? "linux") === "linux" &&
    selected.every(([key, value]) => labels[key] === value) &&
    taints.every((taint) => tolerates.some((isTolerated) => isTolerated(taint)));
}

/** As kube-scheduler does (k8s.io/component-helpers, ToleratesTaint). */
function readToleration(toleration: unknown): (taint: Taint) => boolean {
  const { operator, ...rest } = record(toleration);
  const [key = "", value = "", effect = ""] = [text(rest["key"]), text(rest["value"]), text(rest["effect"])];
  return (taint) => {
    if (effect !== "" && effect !== taint.effect) return false;
    if (key === "" ? operator !== "Exists" : key !== taint.key) return false;
    return operator === "Exists" || value === taint.value;
  };
}
