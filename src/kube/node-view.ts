import { list, record, text } from "../shared/json.ts";

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
}

const OUT_OF_SERVICE_TAINT = "node.kubernetes.io/out-of-service";

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
  };
}
