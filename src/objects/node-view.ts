import { list, record, text, textMap } from "../shared/json.ts";

/** A Node as far as konductor looks at it. */
export interface NodeView {
  name: string;
  uid: string;
  resourceVersion: string;
  ready: boolean;
  schedulable: boolean;
  /** The admin's word that the node is off and nothing runs on it (KEP-2268). */
  outOfService: boolean;
  /** What its kubelet can do, as it declares it itself (KEP-5328). */
  declaredFeatures: readonly string[];
  labels: Readonly<Record<string, string>>;
  /** Those that keep pods away, except Kubernetes' own, which come and go with a node's troubles. */
  taints: readonly Taint[];
}

export interface Taint {
  key: string;
  value: string;
  effect: string;
}

const OUT_OF_SERVICE_TAINT = "node.kubernetes.io/out-of-service";
const PASSING = "node.kubernetes.io/";

/** Reads a v1 Node. */
export function parseNode(object: unknown): NodeView {
  const node = record(object);
  const metadata = record(node["metadata"]);
  const spec = record(node["spec"]);
  const status = record(node["status"]);
  return {
    name: text(metadata["name"]) ?? "",
    uid: text(metadata["uid"]) ?? "",
    resourceVersion: text(metadata["resourceVersion"]) ?? "",
    ready: list(status["conditions"])
      .map(record)
      .some(({ type, status }) => type === "Ready" && status === "True"),
    schedulable: spec["unschedulable"] !== true,
    outOfService: list(spec["taints"])
      .map(record)
      .some(({ key }) => key === OUT_OF_SERVICE_TAINT),
    declaredFeatures: list(status["declaredFeatures"]).filter((feature) => typeof feature === "string"),
    labels: textMap(metadata["labels"]),
    taints: list(spec["taints"])
      .map(record)
      .map(({ key, value, effect }) => ({
        ...{ key: text(key) ?? "", value: text(value) ?? "", effect: text(effect) ?? "" },
      }))
      .filter(({ key, effect }) => !key.startsWith(PASSING) && effect !== "PreferNoSchedule"),
  };
}
