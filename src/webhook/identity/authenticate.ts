/**
 * Authentication of pods by their projected tokens.
 *
 * An answer of the API server is believed for a while, so a token that is revoked meanwhile (its pod was deleted) is accepted up to
 * that much longer. That is harmless: whatever frees a lease looks at the live pod.
 */
import { createHash } from "node:crypto";
import type { KubeClient } from "../../kube/api.ts";
import type { Clock } from "../../shared/clock.ts";
import { hasCode, KonductorError } from "../../shared/errors.ts";
import { LruMap } from "../../shared/lru-map.ts";
import { TOKEN_AUDIENCE } from "../../shared/names.ts";
import type { Authenticate, PodIdentity } from "./identity.ts";
import { claimsToBePods } from "./token-claims.ts";
import { reviewToken } from "./token-review.ts";

const ACCEPTED_FOR_MS = 60_000;
const REFUSED_FOR_MS = 5_000;
const REMEMBERED_TOKENS = 10_000;
/** Tokens of the API server have about 1 KiB; nothing longer is sent on. (Node takes 16 KiB of headers in all.) */
const LONGEST_TOKEN = 8 * 1024;

interface Believed<T> {
  what: T;
  untilMs: number;
}

export interface AuthenticateOptions {
  client: KubeClient;
  clock: Clock;
}

/** Asks the API server once per token at a time, and remembers by the token's digest what it said. */
export function createAuthenticate({ client, clock }: AuthenticateOptions): Authenticate {
  // Apart, so that no number of bad tokens makes good ones forgotten.
  const accepted = new LruMap<string, Believed<PodIdentity>>(REMEMBERED_TOKENS);
  const refused = new LruMap<string, Believed<KonductorError>>(REMEMBERED_TOKENS);
  const underReview = new Map<string, Promise<PodIdentity>>();

  async function review(key: string, token: string): Promise<PodIdentity> {
    try {
      const identity = await reviewToken(client, token);
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
    if (!claimsToBePods(token)) {
      throw new KonductorError(
        "Unauthenticated",
        `the token is not a pod's projected token for the audience ${TOKEN_AUDIENCE}`,
      );
    }
    const running = underReview.get(key) ?? review(key, token);
    underReview.set(key, running);
    return running;
  };
}
