/** The rights that deploy/ gives konductor, and those of them that it has used: one that the whole suite never needs is one too many. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { list, record, text } from "../src/shared/json.ts";

/** Set to the file in which the scenarios note what was used, a right in each line. */
export const RIGHTS_PATH = "KONDUCTOR_RIGHTS";

const MANIFESTS = ["deploy/rbac.yaml", "deploy/ca-bundle-role.yaml"];

/** `verb group/resource`, or `verb path`; of the core group without its name. */
export function rightsIn(role: Record<string, unknown>): string[] {
  return list(role["rules"]).flatMap((entry) => {
    const rule = record(entry);
    const texts = (key: string) => list(rule[key]).flatMap((value) => text(value) ?? []);
    const groups = texts("apiGroups").map((group) => (group === "" ? "" : `${group}/`));
    const resources = groups.flatMap((group) => texts("resources").map((resource) => `${group}${resource}`));
    return texts("verbs").flatMap((verb) =>
      [...resources, ...texts("nonResourceURLs")].map((what) => `${verb} ${what}`),
    );
  });
}

/** The right that the request of an audit event has needed. */
export function rightOf(event: Record<string, unknown>): string {
  const { apiGroup, resource, subresource } = record(event["objectRef"]);
  const path = text(event["requestURI"])?.replace(/\?.*/, "");
  const parts = [apiGroup, resource].flatMap((part) => text(part) ?? []);
  const what = resource === undefined ? path : parts.join("/") + (subresource ? `/${text(subresource)}` : "");
  return `${text(event["verb"])} ${what}`;
}

/** Those that `used` does not name, a line for each. */
export async function unusedRights(root: string, used: string): Promise<string[]> {
  const lines = new Set(used.split("\n"));
  const texts = await Promise.all(MANIFESTS.map((path) => readFile(join(root, path), "utf8")));
  const rights = texts
    .flatMap((manifest) => parseAllDocuments(manifest))
    .flatMap((document) => rightsIn(record(document.toJS())));
  return rights.filter((right) => !lines.has(right));
}
