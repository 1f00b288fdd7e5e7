/** Tokens signed here by real keys, as the API server signs and publishes them. The API server's own tokens are tested in test/integration. */
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { createPublishedKeys } from "../../../src/server/identity/published-keys.ts";
import { createVerifySignature } from "../../../src/server/identity/verify-signature.ts";
import { type ErrorCode, KonductorError } from "../../../src/shared/errors.ts";
import { turnedClock } from "../gate/turned-clock.ts";

const ISSUER = "https://kubernetes.default.svc";
const START_MS = Date.parse("2026-01-01T00:00:00Z");
const NOW_SECONDS = START_MS / 1_000;
const POD = { namespace: "a", name: "b", uid: "c", serviceAccount: "runner" };
const CLAIMS: JWTPayload = {
  iss: ISSUER,
  aud: ["konductor.io"],
  sub: "system:serviceaccount:a:runner",
  exp: NOW_SECONDS + 600,
  nbf: NOW_SECONDS - 600,
  iat: NOW_SECONDS - 600,
  "kubernetes.io": {
    namespace: "a",
    pod: { name: "b", uid: "c" },
    serviceaccount: { name: "runner", uid: "d" },
  },
};

interface Key {
  kid: string;
  alg: string;
  privateKey: Parameters<SignJWT["sign"]>[0];
  published: object;
}

async function newKey(kid: string, alg: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, published: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

let rsa: Key;
let ec: Key;
let foreign: Key;
beforeAll(async () => {
  [rsa, ec, foreign] = await Promise.all([
    newKey("rsa", "RS256"),
    newKey("ec", "ES256"),
    newKey("rsa", "RS256"),
  ]);
});

const sign = (key: Key, claims: JWTPayload = CLAIMS, header: object = {}) =>
  new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey);

interface Api {
  issuer: string;
  keys: object[];
  /** The error of every read. */
  fails?: ErrorCode;
  /** How long every read takes. */
  takesMs?: number;
  calls: number;
}

/** An API server that publishes `keys`. */
function verifier(keys: Key[]) {
  const clock = turnedClock(START_MS);
  const api: Api = { issuer: ISSUER, keys: keys.map(({ published }) => published), calls: 0 };
  const raw = async (_method: string, path: string): Promise<unknown> => {
    api.calls++;
    if (api.takesMs !== undefined) await clock.sleep(api.takesMs);
    if (api.fails) throw new KonductorError(api.fails, "no");
    return path === "/openid/v1/jwks" ? { keys: api.keys } : { issuer: api.issuer };
  };
  const published = createPublishedKeys({ client: { raw }, clock });
  return { clock, api, verify: createVerifySignature({ keys: published, clock }) };
}

const refused = expect.objectContaining({ code: "Unauthenticated" });
const notReady = expect.objectContaining({ code: "NotReady" });

test.each<[string, () => Key]>([
  ["RSA", () => rsa],
  ["EC", () => ec],
])("a token's signature proves its pod: %s", async (_kind, keyOf) => {
  const { verify } = verifier([rsa, ec]);
  expect(await verify(await sign(keyOf()))).toEqual(POD);
});

describe("a token is refused", () => {
  const { exp: _, ...withoutExpiry } = CLAIMS;
  const bound = { ...(CLAIMS["kubernetes.io"] as object) };
  test.each<[string, () => Promise<string> | string]>([
    ["of another issuer", () => sign(rsa, { ...CLAIMS, iss: "https://elsewhere" })],
    ["for another audience", () => sign(rsa, { ...CLAIMS, aud: [ISSUER] })],
    ["that has expired", () => sign(rsa, { ...CLAIMS, exp: NOW_SECONDS - 6 })],
    ["that is not valid yet", () => sign(rsa, { ...CLAIMS, nbf: NOW_SECONDS + 6 })],
    ["that never expires", () => sign(rsa, withoutExpiry)],
    ["without a pod", () => sign(rsa, { ...CLAIMS, "kubernetes.io": { ...bound, pod: undefined } })],
    [
      "of a pod without a uid",
      () => sign(rsa, { ...CLAIMS, "kubernetes.io": { ...bound, pod: { name: "b" } } }),
    ],
    [
      "of an account in another namespace",
      () => sign(rsa, { ...CLAIMS, sub: "system:serviceaccount:z:runner" }),
    ],
    ["signed by a foreign key with the same key id", () => sign(foreign)],
    ["without a signature", () => new UnsecuredJWT(CLAIMS).encode()],
    [
      "signed with our public key as a shared secret",
      async () =>
        new SignJWT(CLAIMS)
          .setProtectedHeader({ alg: "HS256", kid: "rsa" })
          .sign(new TextEncoder().encode(JSON.stringify(rsa.published))),
    ],
    [
      "that was changed",
      async () => (await sign(rsa)).replace(/\.[^.]+\./, (payload) => `${payload.slice(0, -3)}A.`),
    ],
    ["of absurd length", async () => `${await sign(rsa)}${"x".repeat(8 * 1024)}`],
    ["that is no token at all", () => "abc.def.ghi"],
  ])("%s", async (_what, tokenOf) => {
    const { verify } = verifier([rsa, ec]);
    await expect(verify(await tokenOf())).rejects.toEqual(refused);
  });
});

describe("the published keys", () => {
  test("are read once for many tokens, and again after ten minutes", async () => {
    const { verify, clock, api } = verifier([rsa]);
    const token = await sign(rsa, { ...CLAIMS, exp: NOW_SECONDS + 3_600 });
    await Promise.all([verify(token), verify(token), verify(token)]);
    await clock.turn(599_999);
    await verify(token);
    expect(api.calls).toBe(2);
    await clock.turn(1);
    await verify(token);
    expect(api.calls).toBe(4);
  });

  test("are read again for an unknown key, at most every 5 s", async () => {
    const { verify, clock, api } = verifier([rsa]);
    await verify(await sign(rsa));
    const token = await sign(ec);
    api.keys = [ec.published];
    await expect(verify(token)).rejects.toEqual(refused);
    await clock.turn(5_000);
    const unknown = await Promise.all([1, 2, 3].map(async (n) => sign({ ...foreign, kid: `unknown-${n}` })));
    await Promise.all(unknown.map((each) => expect(verify(each)).rejects.toEqual(refused)));
    expect(api.calls).toBe(4);
    expect(await verify(token)).toEqual(POD);
    await expect(verify(await sign(rsa))).rejects.toEqual(refused);
    expect(api.calls).toBe(4);
  });

  test("are read again for another issuer that signs with a known key", async () => {
    const { verify, clock, api } = verifier([rsa]);
    await verify(await sign(rsa));
    api.issuer = "https://moved";
    const token = await sign(rsa, { ...CLAIMS, iss: api.issuer });
    await expect(verify(token)).rejects.toEqual(refused);
    await clock.turn(5_000);
    expect(await verify(token)).toEqual(POD);
    expect(api.calls).toBe(4);
  });

  test("are requested again 5 s after a failed read, and no token is accepted meanwhile", async () => {
    const { verify, clock, api } = verifier([rsa]);
    const token = await sign(rsa);
    api.fails = "Unreachable";
    for (const calls of [2, 2]) {
      await expect(verify(token)).rejects.toEqual(notReady);
      expect(api.calls).toBe(calls);
    }
    delete api.fails;
    await clock.turn(5_000);
    expect(await verify(token)).toEqual(POD);
  });

  test("are requested again 5 s after a read that failed late, and not at once", async () => {
    const { verify, clock, api } = verifier([rsa]);
    const token = await sign(rsa);
    Object.assign(api, { fails: "Unreachable", takesMs: 10_000 });
    const failed = expect(verify(token)).rejects.toEqual(notReady);
    await clock.turn(10_000);
    await failed;
    await clock.turn(4_999);
    await expect(verify(token)).rejects.toEqual(notReady);
    expect(api.calls).toBe(2);
    delete api.fails;
    delete api.takesMs;
    await clock.turn(1);
    expect(await verify(token)).toEqual(POD);
  });

  test("are not used any more if they are old and cannot be read again", async () => {
    const { verify, clock, api } = verifier([rsa]);
    const token = await sign(rsa, { ...CLAIMS, exp: NOW_SECONDS + 3_600 });
    await verify(token);
    api.fails = "Unreachable";
    await clock.turn(600_000);
    await expect(verify(token)).rejects.toEqual(notReady);
  });

  test.each<ErrorCode>(["NotFound", "Forbidden"])(
    "lead to a refusal if they are not published (%s)",
    async (code) => {
      const { verify, api } = verifier([rsa]);
      api.fails = code;
      const token = await sign(rsa);
      for (const _ of [1, 2]) await expect(verify(token)).rejects.toEqual(refused);
      expect(api.calls).toBe(2);
    },
  );

  test("are not used if there are absurdly many", async () => {
    const { verify, api } = verifier([rsa]);
    api.keys = Array.from({ length: 65 }, () => rsa.published);
    await expect(verify(await sign(rsa))).rejects.toEqual(notReady);
  });

  test("are used without those that are not public keys or absurdly long", async () => {
    const { verify, api } = verifier([ec]);
    api.keys = [
      { kty: "oct", kid: "rsa", k: "c2VjcmV0" },
      { ...rsa.published, x5c: ["x".repeat(4_096)] },
      ...api.keys,
    ];
    await expect(verify(await sign(rsa))).rejects.toEqual(refused);
    expect(await verify(await sign(ec))).toEqual(POD);
  });
});
