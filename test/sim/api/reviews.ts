import { PODS, type Resource, TOKEN_REVIEWS } from "../../../src/kube/resources.ts";
import type { PodIdentity, VerifySignature } from "../../../src/server/identity/identity.ts";
import type { PublishedKeys } from "../../../src/server/identity/published-keys.ts";
import { parseJson, record, text, timeMs } from "../../../src/shared/json.ts";
import { TOKEN_AUDIENCE } from "../../../src/shared/names.ts";
import type { Json } from "./rules.ts";
import type { Store } from "./store.ts";

/** How long a token is still accepted after its pod should have gone. */
const TOKEN_OUTLIVES_MS = 60_000;

export interface PodName {
  namespace: string;
  name: string;
  uid: string;
}

/** A pod's projected token, in the form of an unsigned JWT. */
export function tokenOf({ namespace, name, uid }: PodName): string {
  const claims = { aud: [TOKEN_AUDIENCE], "kubernetes.io": { namespace, pod: { name, uid } } };
  return `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.e30`;
}

/** konductor's verification by the keys that the API server publishes, which does not depend on whether the pod exists. */
export const verifier =
  (keys: PublishedKeys): VerifySignature =>
  async (token) => {
    await keys.get();
    return identityOf(token);
  };

function identityOf(token: string): PodIdentity {
  const claims = record(parseJson(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()));
  const { namespace, pod } = record(claims["kubernetes.io"]);
  const [name, uid] = [record(pod)["name"], record(pod)["uid"]].map((value) => text(value) ?? "");
  return { namespace: text(namespace) ?? "", name: name ?? "", uid: uid ?? "", serviceAccount: "default" };
}

/** The API server's answers to review requests. undefined for any other object. */
export function reviewOf(
  store: Store,
  resource: Resource,
  sent: Json,
  user: string,
  nowMs: number,
): Json | undefined {
  if (resource.plural === "selfsubjectreviews") return { ...sent, status: { userInfo: { username: user } } };
  if (resource !== TOKEN_REVIEWS) return undefined;
  const token = text(record(sent["spec"])["token"]) ?? "";
  return { ...sent, status: statusOf(store, token, nowMs) };
}

function statusOf(store: Store, token: string, nowMs: number): Json {
  const { namespace, name, uid, serviceAccount } = identityOf(token);
  const metadata = record(store.find(PODS, { namespace, name })?.["metadata"]);
  const deletedMs = timeMs(metadata["deletionTimestamp"]) ?? Number.POSITIVE_INFINITY;
  if (metadata["uid"] !== uid || nowMs > deletedMs + TOKEN_OUTLIVES_MS) return { authenticated: false };
  const extra = {
    "authentication.kubernetes.io/pod-name": [name],
    "authentication.kubernetes.io/pod-uid": [uid],
  };
  const username = `system:serviceaccount:${namespace}:${serviceAccount}`;
  return { authenticated: true, audiences: [TOKEN_AUDIENCE], user: { username, extra } };
}
