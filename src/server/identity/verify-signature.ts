/**
 * Verification of projected tokens by their signature. A TokenReview refuses the token of a pod that is gone, though its containers may run
 * on for a while, and their keeper has to say that they are being stopped.
 */
import { errors, type JWTPayload, jwtVerify } from "jose";
import type { Clock } from "../../shared/clock.ts";
import { KonductorError } from "../../shared/errors.ts";
import { record, text } from "../../shared/json.ts";
import { TOKEN_AUDIENCE } from "../../shared/names.ts";
import type { PodIdentity, VerifySignature } from "./identity.ts";
import type { KeySet, PublishedKeys } from "./published-keys.ts";
import { LONGEST_TOKEN } from "./token-claims.ts";

/** What the API server can sign with, its external signers included (KEP-740). */
const ALGORITHMS = ["RS256", "ES256", "ES384", "ES512"];
/** Tolerance between this clock and that of the API server that signed. */
const CLOCK_TOLERANCE_SECONDS = 5;

/**
 * Accepts what the API server would if the pod were there. Throws as {@link Authenticate} says; {@link isForged} tells whether the API
 * server certainly did not sign the token.
 */
export function createVerifySignature({
  keys,
  clock,
}: {
  keys: PublishedKeys;
  clock: Clock;
}): VerifySignature {
  async function verify(token: string, { issuer, keyOf }: KeySet): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, keyOf, {
      algorithms: ALGORITHMS,
      issuer,
      audience: TOKEN_AUDIENCE,
      requiredClaims: ["exp", "nbf", "sub"],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(clock.nowMs()),
    });
    return payload;
  }

  async function verifyWithNewKeys(token: string): Promise<JWTPayload> {
    const known = await keys.get();
    try {
      return await verify(token, known);
    } catch (error) {
      if (!mayBeNews(error)) throw error;
      const newer = await keys.after(known);
      if (!newer) throw error;
      return verify(token, newer);
    }
  }

  return async (token) => {
    if (token.length > LONGEST_TOKEN) throw refusal("it is too long");
    try {
      return identityOf(await verifyWithNewKeys(token));
    } catch (error) {
      if (error instanceof KonductorError) throw error;
      throw refusal("it was not signed by this cluster for it, or is not valid now", error);
    }
  };
}

/** Whether the error means that the token names a key of the API server's but does not bear its signature. */
export function isForged(error: unknown): boolean {
  return error instanceof KonductorError && error.cause instanceof errors.JWSSignatureVerificationFailed;
}

/** An unknown key, or another issuer with a known key: the API server may have begun to use it since. */
function mayBeNews(error: unknown): boolean {
  if (error instanceof errors.JWKSNoMatchingKey) return true;
  return error instanceof errors.JWTClaimValidationFailed && error.claim === "iss";
}

/** Who the claims of a token that is bound to a pod name (KEP-1205). */
function identityOf({ sub, "kubernetes.io": bound }: JWTPayload): PodIdentity {
  const { namespace: within, pod, serviceaccount } = record(bound);
  const [namespace, name, uid] = [text(within), text(record(pod)["name"]), text(record(pod)["uid"])];
  const serviceAccount = text(record(serviceaccount)["name"]);
  const isPods = namespace && name && uid && serviceAccount;
  if (!isPods || sub !== `system:serviceaccount:${namespace}:${serviceAccount}`)
    throw refusal("it is no pod's");
  return { namespace, name, uid, serviceAccount };
}

function refusal(why: string, cause?: unknown): KonductorError {
  return new KonductorError(
    "Unauthenticated",
    `the token is not valid for the audience ${TOKEN_AUDIENCE}: ${why}`,
    { cause },
  );
}
