/** On which nodes a pod may come to run, as far as its author says so plainly: by name, by nodeSelector, by tolerations. */
import { list, record } from "../shared/json.ts";
import type { NodeView, Taint } from "./node-view.ts";

/** Of a pod's spec. */
export interface Placement {
  [field: string]: unknown;
  nodeName?: string | undefined;
  nodeSelector?: Readonly<Record<string, string>> | undefined;
}

const OS_LABEL = "kubernetes.io/os";

/**
 * Whether the scheduler could put a Linux pod there now. Affinity is not looked at, so it may be said of a node that this pod will not come to.
 */
export function mayRunOn({ nodeName, nodeSelector = {}, tolerations }: Placement, node: NodeView): boolean {
  const { name, labels, taints, schedulable } = node;
  if (nodeName) return nodeName === name;
  if (!schedulable || (labels[OS_LABEL] ?? "linux") !== "linux") return false;
  const isSelected = Object.entries(nodeSelector).every(([key, value]) => labels[key] === value);
  return (
    isSelected &&
    taints.every((taint) =>
      list(tolerations)
        .map(record)
        .some((toleration) => tolerates(toleration, taint)),
    )
  );
}

/** As kube-scheduler does (k8s.io/component-helpers, ToleratesTaint). */
function tolerates({ key, operator, value, effect }: Record<string, unknown>, taint: Taint): boolean {
  if (effect && effect !== taint.effect) return false;
  if (key ? key !== taint.key : operator !== "Exists") return false;
  return operator === "Exists" || (value ?? "") === taint.value;
}
