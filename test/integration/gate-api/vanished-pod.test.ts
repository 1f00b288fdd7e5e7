/** A keeper with the real token of a pod that was deleted by force: the keeper can end its own hold, and do nothing else. */
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { podRefOf } from "../../../src/lease/grant.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import { record, text } from "../../../src/shared/json.ts";
import { PATH, TOKEN_AUDIENCE } from "../../../src/shared/names.ts";
import type { Replica } from "./replica.ts";
import { createWorld, FIRST_RUN, type World } from "./world.ts";

const TTL_MS = 600_000;
/** The tolerance between the clocks of this process and the API server, and the precision of a status. */
const SECOND_MS = 1_000;

let world: World;
let one: Replica;
let other: Replica;

beforeAll(async () => {
  world = await createWorld("gate-api-vanished");
  [one, other] = await Promise.all([world.startReplica(), world.startReplica()]);
});
afterAll(() => world?.close());

/** A holder that was deleted by force while its main runs; the API server refuses its token by now. */
async function vanishedHolder() {
  const holder = await world.newHolder({}, { confirmed: true, gateRun: FIRST_RUN });
  await world.showPassed(holder.pod, holder.token);
  await world.deletePod(holder.pod, 0);
  await world.tokenEnds(holder.bearer);
  return holder;
}

const holdOf = async (lease: string) => (await world.lease(lease)).status.hold;

describe("its announcement", () => {
  test.each<[string, string, object]>([
    ["before it is stopped", PATH.announce, {}],
    ["when it is stopped", PATH.release, { sincePreStopMs: 6_000 }],
  ])("%s starts the wait until the next grant, and frees nothing", async (_when, path, more) => {
    const { lease, bearer, token } = await vanishedHolder();
    const beforeMs = Date.now();
    const { status, body } = await one.post(path, bearer, { lease, token, ...more });
    expect(status).toBe(200);
    if (path === PATH.release) expect(body).toMatchObject({ released: false });
    const hold = await holdOf(lease);
    expect(hold).toMatchObject({ token, releasing: true });
    expect(Math.abs((hold?.ref.stoppingSinceMs ?? 0) - beforeMs)).toBeLessThan(SECOND_MS * 5);
  });

  test("repeated, at any replica, changes nothing", async () => {
    const { lease, bearer, token } = await vanishedHolder();
    await one.post(PATH.announce, bearer, { lease, token });
    const { resourceVersion } = await world.lease(lease);
    expect((await other.post(PATH.announce, bearer, { lease, token })).status).toBe(200);
    expect((await other.post(PATH.release, bearer, { lease, token, sincePreStopMs: 100 })).status).toBe(200);
    expect((await world.lease(lease)).resourceVersion).toBe(resourceVersion);
  });

  test("affects only its own pod in a Job's hold", async () => {
    const { lease, pod, bearer, token } = await vanishedHolder();
    const ofJob = { kind: "Job", name: "batch", uid: "job" } as const;
    const others = { ...podRefOf(pod), uid: "another", releasing: false };
    await world.change(lease, (status) => ({
      ...status,
      ...(status.hold && {
        hold: { ...status.hold, ref: ofJob, pods: [others, { ...podRefOf(pod), releasing: false }] },
      }),
    }));
    await one.sees(`${world.namespace}/${lease}`, (seen) => seen?.status.hold?.pods?.length === 2);
    expect((await one.post(PATH.announce, bearer, { lease, token })).status).toBe(200);
    expect((await holdOf(lease))?.pods).toEqual([
      others,
      expect.objectContaining({ uid: pod.uid, releasing: true, stoppingSinceMs: expect.any(Number) }),
    ]);
  });

  test("affects neither an earlier hold nor another pod's", async () => {
    const gone = await vanishedHolder();
    const running = await world.newHolder();
    const attempts = [
      { lease: gone.lease, token: gone.token - 1 },
      { lease: running.lease, token: running.token },
    ];
    for (const body of attempts) {
      for (const path of [PATH.announce, PATH.release])
        expect((await one.post(path, gone.bearer, { ...body, sincePreStopMs: 100 })).status).toBe(401);
    }
    for (const { lease, token } of [gone, running])
      expect(await holdOf(lease)).toMatchObject({ token, releasing: false });
  });
});

test("its token allows nothing else", async () => {
  const { lease, bearer, token } = await vanishedHolder();
  for (const path of [PATH.acquire, PATH.renew]) {
    const answer = await one.post(path, bearer, { lease, token, ttlMs: TTL_MS });
    expect([path, answer.status, answer.body["reason"]]).toEqual([path, 401, "Unauthenticated"]);
  }
  expect(await holdOf(lease)).toMatchObject({ token, renewals: 0, releasing: false });
});

describe("an announcement is refused if its token is signed by", () => {
  /** A token with the claims of the pod's own, or others, signed by a new key. */
  async function forged(bearer: string, change: object, kid: (real: string) => string): Promise<string> {
    const [header = "", payload = ""] = bearer.split(".");
    const read = (part: string) => record(JSON.parse(Buffer.from(part, "base64url").toString()));
    const { privateKey, publicKey } = await generateKeyPair("RS256");
    return new SignJWT({ ...read(payload), ...change })
      .setProtectedHeader({
        alg: "RS256",
        kid: kid(text(read(header)["kid"]) ?? ""),
        jwk: await exportJWK(publicKey),
      })
      .sign(privateKey);
  }

  test.each<[string, (bearer: string, pod: PodView) => Promise<string> | string]>([
    ["another key that bears the name of the API server's", (bearer) => forged(bearer, {}, (kid) => kid)],
    ["a key that the API server does not have", (bearer) => forged(bearer, {}, () => "unknown")],
    [
      "nobody",
      (bearer) => {
        const header = Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url");
        return `${header}.${bearer.split(".")[1]}.`;
      },
    ],
    [
      "the same key with other claims",
      (bearer) => bearer.replace(/\.e[^.]+\./, (part) => part.replace("J", "K")),
    ],
  ])("%s", async (_whose, tokenOf) => {
    const { lease, pod, bearer, token } = await vanishedHolder();
    const { status } = await one.post(PATH.announce, await tokenOf(bearer, pod), { lease, token });
    expect(status).toBe(401);
    expect(await holdOf(lease)).toMatchObject({ token, releasing: false });
  });

  test("the right key, for another audience", async () => {
    const { lease, pod, token } = await world.newHolder();
    const bearers = await Promise.all([
      world.tokenOf(pod, "https://kubernetes.default.svc"),
      world.tokenOf(pod, `${TOKEN_AUDIENCE}.evil`),
    ]);
    await world.deletePod(pod, 0);
    for (const bearer of bearers)
      expect((await one.post(PATH.announce, bearer, { lease, token })).status).toBe(401);
  });
});
