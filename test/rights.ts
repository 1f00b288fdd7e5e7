/** The rights that deploy/ gives konductor, and the rights that konductor has used: a right that the whole suite never needs is too much. */
import { createReadStream } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseAllDocuments } from "yaml";
import { list, parseJson, record, text } from "../src/shared/json.ts";
import { SERVICE_ACCOUNT, SYSTEM_NAMESPACE } from "../src/shared/names.ts";

const ACCOUNT = `system:serviceaccount:${SYSTEM_NAMESPACE}:${SERVICE_ACCOUNT}`;

/** Names the file in which the tests record used rights, one per line. */
export const RIGHTS_PATH = "KONDUCTOR_RIGHTS";

const MANIFESTS = ["deploy/rbac.yaml", "deploy/ca-bundle-role.yaml"];

/** `verb group/resource`, or `verb path`; the core group has no name. */
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

/** The right that the request of an audit event required. */
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
    // Most lines belong to others; this check is cheap.
    if (!line.includes(ACCOUNT)) continue;
    // The last line may be incomplete while the server goes on writing.
    const event = record(parseJson(line));
    if (record(event["user"])["username"] === ACCOUNT) yield event;
  }
}

/** Records which of its rights konductor has used on a cluster that is about to be stopped, if `env` names a file. */
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

/** The rights that `used` does not name, one per line. */
export async function unusedRights(root: string, used: string): Promise<string[]> {
  const lines = new Set(used.split("\n"));
  const texts = await Promise.all(MANIFESTS.map((path) => readFile(join(root, path), "utf8")));
  const rights = texts
    .flatMap((manifest) => parseAllDocuments(manifest))
    .flatMap((document) => rightsIn(record(document.toJS())));
  return rights.filter((right) => !lines.has(right));
}
