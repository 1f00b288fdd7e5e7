/**
 * Who wrote what, by the API server's field managers (a webhook's changes have none) and by the record of `kubectl apply`.
 *
 * A user may have written into a CronJob's template the same label or annotation that we put there: withdrawing it would silently take the
 * user's Lease away.
 *
 * Limit: a client that neither leaves a record nor changes the value (Helm 3 moving the label) looks the same as us; it gets a warning.
 */
import { list, record } from "../../shared/json.ts";
import { isRecord, type Metadata } from "./objects.ts";

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
const TEMPLATE_METADATA = ["spec", "jobTemplate", "spec", "template", "metadata"];

/**
 * Tells whether the user wrote `name` into `map`, which is "labels" or "annotations", of the template of the CronJob with this `metadata`. Parses
 * the record of the apply once, which may have a megabyte.
 */
export function writtenByUser(metadata: Metadata | undefined): (map: string, name: string) => boolean {
  const applied = parseObject(metadata?.annotations?.[LAST_APPLIED]);
  return (map, name) => {
    const path = [...TEMPLATE_METADATA, map, name];
    return has(applied, path) || isManaged(metadata, path);
  };
}

/** Whether a client of the API server, such as the one of this request, wrote the field at `path` last. */
export function isManaged(metadata: Metadata | undefined, path: readonly string[]): boolean {
  const managed = list(metadata?.["managedFields"]).map((entry) => record(entry)["fieldsV1"]);
  return managed.some((fields) => has(fields, owned(path)));
}

/** `metadata` without field managers of the field at `path`. */
export function unmanaged(metadata: Metadata, path: readonly string[]): Metadata {
  if (!isManaged(metadata, path)) return metadata;
  const managedFields = list(metadata["managedFields"]).map((entry) =>
    without(entry, ["fieldsV1", ...owned(path)]),
  );
  return { ...metadata, managedFields };
}

/** As the API server spells it in `fieldsV1`. */
function owned(path: readonly string[]): string[] {
  return path.map((field) => `f:${field}`);
}

function without(object: unknown, [field = "", ...rest]: readonly string[]): unknown {
  if (!isRecord(object) || !Object.hasOwn(object, field)) return object;
  const { [field]: value, ...others } = object;
  return rest.length === 0 ? others : { ...object, [field]: without(value, rest) };
}

/** Whether some client applies this object server-side. Only then can our annotation have vanished unasked. */
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
