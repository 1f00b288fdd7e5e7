/** How often the API server is asked to review tokens. Its answers about real tokens are tested on a real API server. */
import { errors } from "jose";
import { expect, test } from "vitest";
import type { KubeClient } from "../../../src/kube/api.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import { createAuthenticate } from "../../../src/server/identity/authenticate.ts";
import type { VerifySignature } from "../../../src/server/identity/identity.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { fedReflector } from "../controller/fed-reflector.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { createPod, statusOf } from "../lease/pod-fixture.ts";

/** A token with these claims of a projected token. Its signature is not checked here. */
function tokenWith(claims: object): string {
  const payload = {
    aud: ["konductor.io"],
    "kubernetes.io": { namespace: "a", pod: { name: "b", uid: "c" } },
    ...claims,
  };
  return `e30.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.c2ln`;
}
const TOKEN = tokenWith({});

const POD = { namespace: "a", name: "b", uid: "c", serviceAccount: "runner" };
const ACCEPTED = {
  authenticated: true,
  audiences: ["konductor.io"],
  user: {
    username: "system:serviceaccount:a:runner",
    extra: { "authentication.kubernetes.io/pod-name": ["b"], "authentication.kubernetes.io/pod-uid": ["c"] },
  },
};

const notVerified = (cause: Error) => new KonductorError("Unauthenticated", "not verified", { cause });
const noKey = () => Promise.reject(notVerified(new errors.JWKSNoMatchingKey()));
const forged = () => Promise.reject(notVerified(new errors.JWSSignatureVerificationFailed()));

function authenticateWith(answer: () => Promise<unknown>, verifySignature: VerifySignature = noKey) {
  const clock = turnedClock();
  const pods = fedReflector<PodView>();
  pods.apply({ ...statusOf(createPod(1, { selfFencing: true, restartPolicy: "Never" })), ...POD });
  let reviews = 0;
  const create = async () => {
    reviews++;
    return { status: await answer() };
  };
  const client: KubeClient = Object.assign(Object.create(null), { create });
  return {
    clock,
    authenticate: createAuthenticate({ client, clock, caches: { pods }, verifySignature }),
    reviews: () => reviews,
  };
}

test("concurrent calls with one token share one review, which is believed for a minute", async () => {
  const { authenticate, clock, reviews } = authenticateWith(async () => ACCEPTED);
  expect(await Promise.all([authenticate(TOKEN), authenticate(TOKEN), authenticate(TOKEN)])).toEqual([
    POD,
    POD,
    POD,
  ]);
  await clock.turn(59_999);
  await authenticate(TOKEN);
  expect(reviews()).toBe(1);
  await authenticate(tokenWith({ jti: "another" }));
  expect(reviews()).toBe(2);
  await clock.turn(1);
  await authenticate(TOKEN);
  expect(reviews()).toBe(3);
});

test("a refusal is believed for 5 s", async () => {
  const { authenticate, clock, reviews } = authenticateWith(async () => ({ authenticated: false }));
  const refused = expect.objectContaining({ code: "Unauthenticated" });
  await expect(authenticate(TOKEN)).rejects.toEqual(refused);
  await clock.turn(4_999);
  await expect(authenticate(TOKEN)).rejects.toEqual(refused);
  expect(reviews()).toBe(1);
  await clock.turn(1);
  await expect(authenticate(TOKEN)).rejects.toEqual(refused);
  expect(reviews()).toBe(2);
});

test("a failure to ask is neither remembered nor blamed on the caller", async () => {
  const { authenticate, reviews } = authenticateWith(() =>
    Promise.reject(new KonductorError("Forbidden", "no")),
  );
  for (const tries of [1, 2]) {
    await expect(authenticate(TOKEN)).rejects.toThrow(expect.objectContaining({ code: "NotReady" }));
    expect(reviews()).toBe(tries);
  }
});

test.each<[string, object]>([
  ["that does not know our audience", { ...ACCEPTED, audiences: undefined }],
  ["for another audience", { ...ACCEPTED, audiences: ["somebody"] }],
  ["of a user", { ...ACCEPTED, user: { ...ACCEPTED.user, username: "alice" } }],
  ["of a token without a pod", { ...ACCEPTED, user: { username: ACCEPTED.user.username } }],
])("a review %s identifies nobody", async (_what, status) => {
  const { authenticate } = authenticateWith(async () => status);
  await expect(authenticate(TOKEN)).rejects.toThrow(expect.objectContaining({ code: "Unauthenticated" }));
});

test("an absurdly long token is not sent anywhere", async () => {
  const { authenticate, reviews } = authenticateWith(async () => ACCEPTED);
  await expect(authenticate("x".repeat(8_193))).rejects.toThrow("8193");
  await expect(authenticate("")).rejects.toThrow(expect.objectContaining({ code: "Unauthenticated" }));
  expect(reviews()).toBe(0);
});

test.each([
  ["nonsense", "nonsense"],
  ["a token for another audience", tokenWith({ aud: ["https://kubernetes.default.svc"] })],
  ["a token without a pod", tokenWith({ "kubernetes.io": { namespace: "a" } })],
])("%s is refused without asking the API server", async (_what, token) => {
  const { authenticate, reviews } = authenticateWith(async () => ACCEPTED);
  await expect(authenticate(token)).rejects.toThrow(expect.objectContaining({ code: "Unauthenticated" }));
  expect(reviews()).toBe(0);
});

test("an accepted token is remembered however many others are refused", async () => {
  const { authenticate, reviews } = authenticateWith(async () =>
    reviews() === 1 ? ACCEPTED : { authenticated: false },
  );
  await authenticate(TOKEN);
  for (let n = 0; n < 10_001; n++) await authenticate(tokenWith({ jti: n })).catch(() => undefined);
  const asked = reviews();
  expect(await authenticate(TOKEN)).toEqual(POD);
  expect(reviews()).toBe(asked);
});

test("a token with a forged signature is refused without asking the API server", async () => {
  const { authenticate, reviews } = authenticateWith(async () => ACCEPTED, forged);
  await expect(authenticate(TOKEN)).rejects.toMatchObject({ code: "Unauthenticated" });
  expect(reviews()).toBe(0);
});

test("a known pod's token is reviewed soon, although the keys by which it could be verified are not read", async () => {
  const { authenticate, clock, reviews } = authenticateWith(
    async () => ACCEPTED,
    () => new Promise(() => {}),
  );
  const identity = authenticate(TOKEN);
  await clock.turn(299);
  expect(reviews()).toBe(0);
  await clock.turn(1);
  expect(await identity).toEqual(POD);
});

test("made-up tokens are reviewed a few at a time, and delay neither a known pod's token nor a signed one", async () => {
  const open: (() => void)[] = [];
  const signed = tokenWith({ jti: "signed" });
  const { authenticate, reviews } = authenticateWith(
    () => new Promise((resolve) => open.push(() => resolve({ authenticated: false }))),
    async (token) => (token === signed ? POD : noKey()),
  );
  const bound = (uid: string) => ({ "kubernetes.io": { namespace: "a", pod: { name: "b", uid } } });
  const told = Array.from({ length: 1_000 }, (_, index) =>
    authenticate(tokenWith({ jti: index, ...bound(`made-up-${index}`) })).catch(({ code }) => code),
  );
  const full = await Promise.race(told);
  expect([full, reviews()]).toEqual(["NotReady", 4]);
  const others = [authenticate(TOKEN), authenticate(signed)].map((one) => one.catch(() => "told"));
  await expect.poll(reviews).toBe(6);
  while (open.length > 0) {
    open.shift()?.();
    await new Promise(setImmediate);
  }
  await Promise.all(others);
  const codes = await Promise.all(told);
  expect(codes.filter((code) => code === "NotReady")).toHaveLength(1_000 - 104);
});
