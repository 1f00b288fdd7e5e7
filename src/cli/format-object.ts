import { stringify } from "yaml";
import { GROUP } from "../shared/names.ts";

/** An API object as `-o json` or `-o yaml` prints it. */
export function formatObject(object: unknown, output: "json" | "yaml"): string {
  return output === "json" ? `${JSON.stringify(object, null, 4)}\n` : stringify(object);
}

/** Several of them, as kubectl wraps them. */
export function formatList(items: readonly unknown[], output: "json" | "yaml"): string {
  return formatObject({ apiVersion: "v1", kind: "List", metadata: {}, items }, output);
}

/** An object's name as `-o name` prints it, which kubectl understands. */
export function formatName(kind: "lease" | "leaserequest", name: string): string {
  return `${kind}.${GROUP}/${name}\n`;
}
