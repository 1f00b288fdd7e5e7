/** The rights that deploy/ gives konductor, and those of them that it has used: what the whole suite never needs is too much. */
import { createReadStream } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseAllDocuments } from "yaml";
import { list, parseJson, record, text } from "../src/shared/json.ts";
import { SERVICE_ACCOUNT, SYSTEM_NAMESPACE } from "../src/shared/names.ts";

const ACCOUNT = `system:serviceaccount:${SYSTEM_NAMESPACE}:${SERVICE_ACCOUNT}`;

/** Set to the file in which the tests note what was used, a right in each line. */
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

/** Every request of konductor's own account in an API server's audit log. */
export async function* ownRequests(auditLogPath: string): AsyncGenerator<Record<string, unknown>> {
  for await (const line of createInterface({ input: createReadStream(auditLogPath) })) {
    // Most lines are others'; this one is cheap to rule out.
    if (!line.includes(ACCOUNT)) continue;
    // The last line of a server that goes on writing may be torn.
    const event = record(parseJson(line));
    if (record(event["user"])["username"] === ACCOUNT) yield event;
  }
}

/** Notes what konductor has used of its rights on a cluster that is about to be stopped, if `env` says where. */
export async function noteRights(
  { auditLogPath }: { auditLogPath: string },
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const path = env[RIGHTS_PATH];
  if (path === undefined) return;
  const used = new Set<string>();
  for await (const event of ownRequests(auditLogPath)) used.add(rightOf(event));
  await appendFile(path, [...used, ""].join("\n"));
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
