import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { record, text } from "../../../src/shared/json.ts";

/** The calls of each impersonated user that the API server has answered, or is answering: a watch counts once. */
export async function callsByUser(auditLogPath: string, prefix: string): Promise<Map<string, string[]>> {
  const seen = new Set<string>();
  const calls = new Map<string, string[]>();
  for await (const line of createInterface({ input: createReadStream(auditLogPath) })) {
    // Most lines belong to others; this check is cheap.
    if (!line.includes(prefix)) continue;
    const event = record(JSON.parse(line));
    const user = text(record(event["impersonatedUser"])["username"]);
    const id = text(event["auditID"]) ?? "";
    if (!user?.startsWith(prefix) || seen.has(id)) continue;
    seen.add(id);
    const call = `${text(event["verb"])} ${text(record(event["objectRef"])["resource"])}`;
    calls.set(user, [...(calls.get(user) ?? []), call]);
  }
  return calls;
}
