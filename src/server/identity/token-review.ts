import type { KubeClient } from "../../kube/api.ts";
import { TOKEN_REVIEWS } from "../../kube/resources.ts";
import { hasCode, KonductorError } from "../../shared/errors.ts";
import { flag, list, record, text } from "../../shared/json.ts";
import { TOKEN_AUDIENCE } from "../../shared/names.ts";
import type { PodIdentity } from "./identity.ts";

const POD_NAME = "authentication.kubernetes.io/pod-name";
const POD_UID = "authentication.kubernetes.io/pod-uid";
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Asks the API server about `token` (TokenReview for our audience alone). Throws as {@link Authenticate} says. */
export async function reviewToken(client: KubeClient, token: string): Promise<PodIdentity> {
  const review = { spec: { token, audiences: [TOKEN_AUDIENCE] } };
  let answer: unknown;
  try {
    answer = await client.create(TOKEN_REVIEWS, review);
  } catch (cause) {
    const retryAfterMs = hasCode(cause, "TooManyRequests") ? cause.retryAfterMs : undefined;
    throw new KonductorError("NotReady", "the API server could not be asked who sent this token; try again", {
      cause,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
  return identityOf(record(record(answer)["status"]));
}

/** Exported for its own tests: what a TokenReview's status says of the sender. */
export function identityOf(status: Record<string, unknown>): PodIdentity {
  // A server that knows no audiences answers without them, and has then not checked ours.
  if (flag(status["authenticated"]) !== true || !list(status["audiences"]).includes(TOKEN_AUDIENCE)) {
    throw new KonductorError(
      "Unauthenticated",
      `the token is not valid for the audience ${TOKEN_AUDIENCE}: it has expired, its pod is gone, or it was made for another`,
    );
  }
  const user = record(status["user"]);
  const extra = record(user["extra"]);
  const name = text(list(extra[POD_NAME])[0]);
  const uid = text(list(extra[POD_UID])[0]);
  const [, namespace, serviceAccount] = text(user["username"])?.match(SERVICE_ACCOUNT) ?? [];
  if (!name || !uid || !namespace || !serviceAccount) {
    throw new KonductorError(
      "Unauthenticated",
      "the token is no pod's: only the projected token of a pod is accepted here",
    );
  }
  return { namespace, name, uid, serviceAccount };
}
