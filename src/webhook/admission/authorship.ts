/**
 * Whether a user wrote a label or annotation into a CronJob's template, although the same value was put there by us: taking it
 * away would silently take a lease away. Told by the record of `kubectl apply` and by the API server's field managers (what a
 * webhook adds has none).
 *
 * Limit: a client that neither leaves a record nor changes the value (Helm 3 moving the label) cannot be told from us; it gets
 * a warning.
 */
import { list, record } from "../../shared/json.ts";
import { isRecord, type Metadata } from "./objects.ts";

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
const TEMPLATE_METADATA = ["spec", "jobTemplate", "spec", "template", "metadata"];

/** `map` is "labels" or "annotations" of the template. */
export function isWrittenByUser(metadata: Metadata | undefined, map: string, name: string): boolean {
  const path = [...TEMPLATE_METADATA, map, name];
  const applied = parseObject(metadata?.annotations?.[LAST_APPLIED]);
  const managed = list(metadata?.["managedFields"]).map((entry) => record(entry)["fieldsV1"]);
  const owned = path.map((field) => `f:${field}`);
  return has(applied, path) || managed.some((fields) => has(fields, owned));
}

/** Whether some client applies this object server-side. Only then may our annotation have gone without anybody asking for it. */
export function isAppliedServerSide(metadata: Metadata | undefined): boolean {
  return list(metadata?.["managedFields"]).some((entry) => record(entry)["operation"] === "Apply");
}

function has(object: unknown, path: readonly string[]): boolean {
  let value = object;
  for (const field of path) {
    if (!isRecord(value) || !Object.hasOwn(value, field)) return false;
    value = value[field];
  }
  return true;
}

/** The record of an apply is the client's, so it may hold anything. */
function parseObject(json: string | undefined): unknown {
  try {
    return JSON.parse(json ?? "null");
  } catch {
    return undefined;
  }
}
