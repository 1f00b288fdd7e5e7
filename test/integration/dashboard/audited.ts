/** What a service account has asked of the API server, by the audit log: a line is there before the answer. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { record, text } from "../../../src/shared/json.ts";

export interface AuditedCall {
  verb: string;
  /** Plural, as `pods`. */
  resource: string;
  query: URLSearchParams;
  /** A watch that goes on has not. */
  hasEnded: boolean;
}

/** The calls of the user of this name, in the order in which they began. */
export async function callsOf(auditLogPath: string, username: string): Promise<AuditedCall[]> {
  const calls = new Map<string, AuditedCall>();
  for await (const line of createInterface({ input: createReadStream(auditLogPath) })) {
    // Most lines belong to others; this check is cheap.
    if (!line.includes(username)) continue;
    const { auditID, user, verb, objectRef, requestURI, stage } = record(JSON.parse(line));
    if (text(record(user)["username"]) !== username) continue;
    calls.set(text(auditID) ?? "", {
      verb: text(verb) ?? "",
      resource: text(record(objectRef)["resource"]) ?? "",
      query: new URL(text(requestURI) ?? "", "https://any").searchParams,
      hasEnded: stage === "ResponseComplete",
    });
  }
  return [...calls.values()];
}
