/** The objects that konductor ships, as they would be in this cluster. Pure. */
import { list, record, text } from "../../shared/json.ts";
import { SYSTEM_NAMESPACE } from "../../shared/names.ts";
import shipped from "./shipped.json" with { type: "json" };

export interface ShippedObject {
  kind: string;
  name: string;
  object: Record<string, unknown>;
}

const KUBE_SYSTEM = "kube-system";
const NAMESPACE_LABEL = "kubernetes.io/metadata.name";

/** For an install in `namespace` that leaves the namespaces `exempt` alone, both of which an install may choose. */
export function shippedObjects(namespace: string, exempt: readonly string[]): ShippedObject[] {
  const here = (value: unknown): unknown => {
    if (typeof value === "string") return value.replaceAll(SYSTEM_NAMESPACE, namespace);
    if (Array.isArray(value)) return value.map(here);
    if (typeof value !== "object" || value === null) return value;
    const found = record(value);
    if (found["key"] === NAMESPACE_LABEL) return { ...found, values: exempt };
    return Object.fromEntries(Object.entries(found).map(([key, each]) => [key, here(each)]));
  };
  return list(shipped).map((each) => {
    const object = record(each);
    return {
      kind: text(object["kind"]) ?? "",
      name: text(record(object["metadata"])["name"]) ?? "",
      object: record(here(object)),
    };
  });
}

/** The namespaces that the webhook configuration leaves alone; those of `deploy/` if it does not say. */
export function exemptNamespaces(configuration: unknown, namespace: string): string[] {
  const selectors = list(record(configuration)["webhooks"]).flatMap((webhook) =>
    list(record(record(webhook)["namespaceSelector"])["matchExpressions"]).map(record),
  );
  const found = selectors.find(({ key, operator }) => key === NAMESPACE_LABEL && operator === "NotIn");
  const values = list(found?.["values"]).filter((value) => typeof value === "string");
  // Without these two, konductor could not start where it is not running yet: that is no choice.
  const isSound = values.includes(namespace) && values.includes(KUBE_SYSTEM);
  return isSound ? values : [KUBE_SYSTEM, namespace];
}
