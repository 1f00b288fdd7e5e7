import { list, record, text } from "../../shared/json.ts";
import { TOKEN_AUDIENCE } from "../../shared/names.ts";
import type { PodIdentity } from "./identity.ts";

/** Tokens of the API server have about 1 KiB; nothing longer is looked at. (Node takes 16 KiB of headers in all.) */
export const LONGEST_TOKEN = 8 * 1024;

/** Whose a token claims to be. */
export type ClaimedPod = Pick<PodIdentity, "namespace" | "name" | "uid">;

/**
 * The pod whose token this claims to be, if it is for our audience: the claims of a projected service account token (KEP-1205). Nothing is
 * verified here; it only spares the API server reviews that would fail.
 */
export function claimedPod(token: string): ClaimedPod | undefined {
  const claims = payloadOf(token);
  if (!list(claims["aud"]).includes(TOKEN_AUDIENCE)) return undefined;
  const { namespace: within, pod } = record(claims["kubernetes.io"]);
  const [namespace, name, uid] = [text(within), text(record(pod)["name"]), text(record(pod)["uid"])];
  return namespace && name && uid ? { namespace, name, uid } : undefined;
}

function payloadOf(token: string): Record<string, unknown> {
  const [, payload = ""] = token.split(".");
  try {
    return record(JSON.parse(Buffer.from(payload, "base64url").toString()));
  } catch {
    return {};
  }
}
