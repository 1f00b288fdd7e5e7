import { stringify } from "yaml";
import { record } from "../shared/json.ts";
import { GROUP } from "../shared/names.ts";
import { JSONPATH, type ObjectOutput } from "./cli-context.ts";
import { parseTemplate } from "./jsonpath.ts";

/** Times are quoted, as kubectl does: YAML 1.1 readers would parse them as dates. */
const YAML = { compat: "yaml-1.1" } as const;

/** An API object as `-o json`, `-o yaml` or `-o jsonpath=…` prints it: without managedFields, as kubectl does. */
export function formatObject(object: unknown, output: ObjectOutput): string {
  const shown = Array.isArray(object) ? object : withoutManagedFields(object);
  if (output !== "json" && output !== "yaml") return parseTemplate(output.slice(JSONPATH.length))(shown);
  return output === "json" ? `${JSON.stringify(shown, null, 4)}\n` : stringify(shown, YAML);
}

function withoutManagedFields(object: unknown): unknown {
  const { metadata, ...rest } = record(object);
  if (metadata === undefined) return object;
  const { managedFields: _, ...shown } = record(metadata);
  const { apiVersion, kind, ...others } = rest;
  return { apiVersion, kind, metadata: shown, ...others };
}

/** A list of objects, wrapped as kubectl does. */
export function formatList(items: readonly unknown[], output: ObjectOutput): string {
  const list = { apiVersion: "v1", kind: "List", metadata: {}, items: items.map(withoutManagedFields) };
  return formatObject(list, output);
}

/** An object's name as `-o name` prints it, which kubectl understands. */
export function formatName(kind: "lease" | "leaserequest", name: string): string {
  return `${kind}.${GROUP}/${name}\n`;
}
