import { list, record } from "../../shared/json.ts";
import { TOKEN_AUDIENCE } from "../../shared/names.ts";

/**
 * Whether a token claims to be a pod's, for our audience: the claims of a projected service account token (KEP-1205). Nothing is
 * verified here. It spares the API server a review of what could not pass one.
 */
export function claimsToBePods(token: string): boolean {
  const claims = payloadOf(token);
  return list(claims["aud"]).includes(TOKEN_AUDIENCE) && record(claims["kubernetes.io"])["pod"] !== undefined;
}

function payloadOf(token: string): Record<string, unknown> {
  const [, payload = ""] = token.split(".");
  try {
    return record(JSON.parse(Buffer.from(payload, "base64url").toString()));
  } catch {
    return {};
  }
}
