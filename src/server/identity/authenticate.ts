/**
 * Authentication of pods by their projected tokens.
 *
 * An answer of the API server is believed for a while, so a token that is revoked meanwhile (its pod was deleted) is accepted up to
 * that much longer. That is harmless: whatever frees a lease looks at the live pod.
 */
import { createHash } from "node:crypto";
import type { KubeClient } from "../../kube/api.ts";
import { keyOf } from "../../lease/types.ts";
import type { Caches } from "../../objects/caches.ts";
import type { Clock } from "../../shared/clock.ts";
import { hasCode, KonductorError } from "../../shared/errors.ts";
import { LruMap } from "../../shared/lru-map.ts";
import { TOKEN_AUDIENCE } from "../../shared/names.ts";
import type { Authenticate, PodIdentity, VerifySignature } from "./identity.ts";
import { createReviewQueue, type Standing } from "./review-queue.ts";
import { type ClaimedPod, claimedPod, LONGEST_TOKEN } from "./token-claims.ts";
import { reviewToken } from "./token-review.ts";
import { isForged } from "./verify-signature.ts";

const ACCEPTED_FOR_MS = 60_000;
const REFUSED_FOR_MS = 5_000;
const REMEMBERED_TOKENS = 10_000;
/** How long a review waits for the keys to be read. They only tell how soon it comes, and the API server may answer reviews without them. */
const KEYS_WITHIN_MS = 300;

interface Believed<T> {
  what: T;
  untilMs: number;
}

export interface AuthenticateOptions {
  client: KubeClient;
  clock: Clock;
  caches: Pick<Caches, "pods">;
  verifySignature: VerifySignature;
}

/**
 * Has each token reviewed once at a time, and remembers the API server's answer by the token's digest. Tokens that the API server certainly
 * did not sign are refused without a review. Those that it did sign are reviewed first, and more of them at a time.
 */
export function createAuthenticate({
  client,
  clock,
  caches,
  verifySignature,
}: AuthenticateOptions): Authenticate {
  // Apart, so that bad tokens cannot push out good ones.
  const accepted = new LruMap<string, Believed<PodIdentity>>(REMEMBERED_TOKENS);
  const refused = new LruMap<string, Believed<KonductorError>>(REMEMBERED_TOKENS);
  const underReview = new Map<string, Promise<PodIdentity>>();
  const queue = createReviewQueue();

  /** Throws where the signature is certainly not the API server's. One that could not be verified soon means nothing. */
  async function standingOf(token: string, claimed: ClaimedPod): Promise<Standing> {
    const soon = Promise.withResolvers<boolean>();
    const cancel = clock.after(KEYS_WITHIN_MS, () => soon.resolve(false));
    try {
      const signed = verifySignature(token).then(() => true);
      if (await Promise.race([signed, soon.promise])) return "signed";
    } catch (error) {
      if (isForged(error)) throw error;
    } finally {
      cancel();
    }
    const known = caches.pods.store.get(keyOf(claimed));
    return known?.uid === claimed.uid ? "claimed" : "unknown";
  }

  async function review(key: string, token: string, claimed: ClaimedPod): Promise<PodIdentity> {
    try {
      const standing = await standingOf(token, claimed);
      const identity = await queue.run(standing, () => reviewToken(client, token));
      accepted.set(key, { what: identity, untilMs: clock.monotonicMs() + ACCEPTED_FOR_MS });
      return identity;
    } catch (error) {
      if (hasCode(error, "Unauthenticated"))
        refused.set(key, { what: error, untilMs: clock.monotonicMs() + REFUSED_FOR_MS });
      throw error;
    } finally {
      underReview.delete(key);
    }
  }

  const fresh = <T>(believed: Believed<T> | undefined) =>
    believed && clock.monotonicMs() < believed.untilMs ? believed.what : undefined;

  return async (token) => {
    if (token === "" || token.length > LONGEST_TOKEN) {
      throw new KonductorError(
        "Unauthenticated",
        `a token has between 1 and ${LONGEST_TOKEN} characters, not ${token.length}`,
      );
    }
    const key = createHash("sha256").update(token).digest("base64");
    const identity = fresh(accepted.get(key));
    if (identity) return identity;
    const refusal = fresh(refused.get(key));
    if (refusal) throw refusal;
    const claimed = claimedPod(token);
    if (!claimed) {
      throw new KonductorError(
        "Unauthenticated",
        `the token is not a pod's projected token for the audience ${TOKEN_AUDIENCE}`,
      );
    }
    const running = underReview.get(key) ?? review(key, token, claimed);
    underReview.set(key, running);
    return running;
  };
}
