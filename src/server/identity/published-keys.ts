import { createLocalJWKSet, type JWTVerifyGetKey } from "jose";
import type { KubeClient } from "../../kube/api.ts";
import type { Clock } from "../../shared/clock.ts";
import { hasCode, KonductorError } from "../../shared/errors.ts";
import { defined, list, record, text } from "../../shared/json.ts";

const DISCOVERY_PATH = "/.well-known/openid-configuration";
const KEYS_PATH = "/openid/v1/jwks";

/** How long a key that the API server has withdrawn may still be believed. */
const FRESH_FOR_MS = 600_000;
/** The shortest time from one fetch's end to the next, however many tokens with unknown keys come, and whether the API server answers or not. */
const FETCH_EVERY_MS = 5_000;
/** An API server signs with one key, and publishes a few more while it changes that. */
const MOST_KEYS = 64;
const LONGEST_KEY_BYTES = 4_096;

/** What the API server publishes about the tokens that it signs. */
export interface KeySet {
  /** The issuer with which it signs now; of several that it accepts it names the first. */
  issuer: string;
  keyOf: JWTVerifyGetKey;
  readAtMs: number;
}

/**
 * The keys by which the API server's tokens can be verified without it (OpenID Connect Discovery, as the API server serves it). They are read
 * when first needed, by one call at a time.
 */
export interface PublishedKeys {
  /** At most 10 minutes old. Throws NotReady where they cannot be read, Unauthenticated where there are none. */
  get(): Promise<KeySet>;
  /** A later set than `known`, which lacks a key or an issuer; undefined where it is too early to ask again. Throws as `get`. */
  after(known: KeySet): Promise<KeySet | undefined>;
}

export function createPublishedKeys({
  client,
  clock,
}: {
  client: Pick<KubeClient, "raw">;
  clock: Clock;
}): PublishedKeys {
  let latest: KeySet | undefined;
  let endedAtMs = Number.NEGATIVE_INFINITY;
  let failure: KonductorError | undefined;
  let reading: Promise<KeySet> | undefined;

  async function read(): Promise<KeySet> {
    const readAtMs = clock.monotonicMs();
    try {
      const [discovery, keys] = await Promise.all([
        client.raw("GET", DISCOVERY_PATH),
        client.raw("GET", KEYS_PATH),
      ]);
      const issuer = text(record(discovery)["issuer"]);
      if (!issuer) throw new KonductorError("Internal", `${DISCOVERY_PATH} names no issuer`);
      latest = { issuer, keyOf: createLocalJWKSet({ keys: parseKeys(keys) }), readAtMs };
      return latest;
    } catch (cause) {
      failure = notReadable(cause);
      throw failure;
    } finally {
      endedAtMs = clock.monotonicMs();
      reading = undefined;
    }
  }

  const isDue = () => clock.monotonicMs() - endedAtMs >= FETCH_EVERY_MS;

  async function get(): Promise<KeySet> {
    if (latest && clock.monotonicMs() - latest.readAtMs < FRESH_FOR_MS) return latest;
    if (!reading && failure && !isDue()) throw failure;
    reading ??= read();
    return reading;
  }

  return {
    get,
    async after(known) {
      if (latest && latest !== known) return get();
      if (!reading && !isDue()) return undefined;
      reading ??= read();
      return reading;
    },
  };
}

function notReadable(cause: unknown): KonductorError {
  // Nothing is published if the issuer is no https URL, nor to accounts that may not read it.
  if (hasCode(cause, "NotFound", "Forbidden"))
    return new KonductorError("Unauthenticated", "the API server publishes no keys to verify tokens by", {
      cause,
    });
  const retryAfterMs = hasCode(cause, "TooManyRequests") ? cause.retryAfterMs : undefined;
  return new KonductorError("NotReady", "the keys by which the API server signs tokens could not be read", {
    cause,
    ...defined({ retryAfterMs }),
  });
}

/** Reads a JWK Set (RFC 7517). */
function parseKeys(answer: unknown) {
  const keys = list(record(answer)["keys"]);
  if (keys.length > MOST_KEYS) {
    throw new KonductorError(
      "Internal",
      `${KEYS_PATH} has ${keys.length} keys; at most ${MOST_KEYS} are read`,
    );
  }
  return keys
    .filter((key) => JSON.stringify(key).length <= LONGEST_KEY_BYTES)
    .map(record)
    .map(({ kty, kid, alg, use, n, e, crv, x, y }) =>
      defined({
        kty: text(kty) ?? "",
        ...{ kid: text(kid), alg: text(alg), use: text(use) },
        ...{ n: text(n), e: text(e), crv: text(crv), x: text(x), y: text(y) },
      }),
    )
    .filter(({ kty }) => kty === "RSA" || kty === "EC");
}
