/** Which pod this process runs in, by the token that the kubelet keeps there. */
import { readFileSync } from "node:fs";
import { parseJson, record, text } from "../shared/json.ts";

const TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/** The uid of the pod whose service account token stands in `tokenFile`; undefined outside of pods, and in one that has no token. */
export function ownPodUid(tokenFile = TOKEN_FILE): string | undefined {
  return podUidIn(readToken(tokenFile));
}

/** The claim of a projected service account token (KEP-1205). Nothing is verified: it is our own. */
function podUidIn(token: string): string | undefined {
  const [, payload = ""] = token.split(".");
  const claims = record(parseJson(Buffer.from(payload, "base64url").toString()));
  return text(record(record(claims["kubernetes.io"])["pod"])["uid"]);
}

function readToken(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
