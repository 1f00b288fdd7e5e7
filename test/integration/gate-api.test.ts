/** The gate API on a real API server, by TLS, with real tokens of real pods and konductor's own rights; the test acts as the arbiter. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endHold } from "../../src/lease/hold.ts";
import type { PodView } from "../../src/lease/pod.ts";
import type { Hold } from "../../src/lease/types.ts";
import { PATH } from "../../src/shared/names.ts";
import { type Replica, URLS } from "./gate-api/replica.ts";
import { createWorld, type MainState, type PodOptions, type World } from "./gate-api/world.ts";

const TTL_MS = 600_000;
let world: World;
let one: Replica;
let other: Replica;

beforeAll(async () => {
  world = await createWorld("gate-api");
  [one, other] = await Promise.all([world.startReplica(), world.startReplica()]);
});
afterAll(() => world?.close());

describe("authentication", () => {
  test.each<[string, number, string, (pod: PodView) => Promise<string>]>([
    [
      "a token for another audience",
      401,
      "Unauthenticated",
      (pod) => world.tokenOf(pod, "https://kubernetes.default.svc"),
    ],
    ["a token that is no pod's", 401, "Unauthenticated", () => world.accountToken()],
    ["something that is no token", 401, "Unauthenticated", async () => "abc.def.ghi"],
    ["more than 8 KiB", 401, "Unauthenticated", async () => "x".repeat(8 * 1024 + 1)],
    [
      "the token of a pod that is gone",
      401,
      "Unauthenticated",
      async () => {
        const { pod, bearer } = await world.newPod({ lease: "mine" });
        await world.deletePod(pod, 0);
        await world.tokenEnds(bearer);
        return bearer;
      },
    ],
    [
      "a pod with the label of another lease",
      403,
      "Forbidden",
      async () => (await world.newPod({ lease: "other" })).bearer,
    ],
    ["a pod without a label", 403, "Forbidden", async () => (await world.newPod({})).bearer],
  ])("%s is answered %i %s", async (_who, status, reason, bearerOf) => {
    const { pod } = await world.newPod({ lease: "mine" });
    const bearer = await bearerOf(pod);
    for (const path of [PATH.acquire, PATH.renew, PATH.announce, PATH.release]) {
      const answer = await one.post(path, bearer, { lease: "mine", token: 1, ttlMs: TTL_MS });
      expect([path, answer.status, answer.body["reason"]]).toEqual([path, status, reason]);
    }
  });

  test("a pod with wrong annotations is told so", async () => {
    const { bearer } = await world.newPod({ lease: "mine", annotations: { ttl: "5s" } });
    const { status, body } = await one.post(PATH.acquire, bearer, { lease: "mine" });
    expect([status, body["reason"]]).toEqual([400, "BadRequest"]);
    expect(body["message"]).toContain('"5s"');
  });
});

describe("renew", () => {
  test("first confirms the hold, then counts", async () => {
    const { lease, bearer, token } = await world.newHolder({}, { confirmed: false });
    const renewed = {
      token,
      ttlMs: TTL_MS,
      ca: expect.any(String),
      urls: URLS,
      serverTime: expect.any(String),
    };
    // Each renewal has a new keeper: another renewal by the same keeper is not written within a second.
    for (const [renewals, keeperSince] of [undefined, "0a1b/1000", "0a1b/2000"].entries()) {
      const sent = { lease, token, ttlMs: 30_000, keeperSince };
      const { status, body } = await one.post(PATH.renew, bearer, sent);
      expect([status, body]).toEqual([200, { ...renewed, renewals }]);
    }
    expect((await world.lease(lease)).status.hold).toMatchObject({ confirmed: true, renewals: 2 });
  });

  test("at two replicas at once is answered by both, and several renewals are written at once", async () => {
    const { lease, bearer, token } = await world.newHolder();
    const before = (await world.lease(lease)).status.hold;
    const renewals = Array.from({ length: 6 }, (_, index) =>
      (index % 2 ? one : other).post(PATH.renew, bearer, { lease, token, ttlMs: TTL_MS }),
    );
    expect((await Promise.all(renewals)).map(({ status }) => status)).toEqual(Array(6).fill(200));
    const after = (await world.lease(lease)).status.hold;
    expect(after?.expiresMs).toBeGreaterThan(before?.expiresMs ?? Number.POSITIVE_INFINITY);
    expect(after?.renewals).toBeLessThan(6);
  });

  test("withdraws the announcement that the hold ends", async () => {
    const { lease, bearer, token } = await world.newHolder();
    await one.post(PATH.announce, bearer, { lease, token });
    expect((await world.lease(lease)).status.hold?.releasing).toBe(true);
    await other.post(PATH.renew, bearer, { lease, token, ttlMs: TTL_MS });
    expect((await world.lease(lease)).status.hold?.releasing).toBe(false);
  });

  test("by the keeper that was asked to stop keeps the announcement, and by the next keeper withdraws it", async () => {
    const { lease, bearer, token } = await world.newHolder();
    const keeper = async (path: string, keeperSince: string) => {
      expect((await one.post(path, bearer, { lease, token, ttlMs: TTL_MS, keeperSince })).status).toBe(200);
      const { releasing, keeperSince: known } = (await world.lease(lease)).status.hold ?? {};
      return { releasing, known };
    };
    expect(await keeper(PATH.renew, "0a1b/4000")).toEqual({ releasing: false, known: "0a1b/4000" });
    expect(await keeper(PATH.announce, "0a1b/5000")).toEqual({ releasing: true, known: "0a1b/5000" });
    expect(await keeper(PATH.renew, "0a1b/4000")).toEqual({ releasing: true, known: "0a1b/5000" });
    expect(await keeper(PATH.renew, "0a1b/6000")).toEqual({ releasing: false, known: "0a1b/6000" });
  });

  test.each<[string, string, PodOptions, Partial<Hold>]>([
    ["an expired hold", "NotHolder", {}, { confirmed: true, expired: true }],
    ["a hold taken by force", "Revoked", {}, { confirmed: true, revoked: "Forced" }],
    ["a hold whose main never started", "NotStarted", {}, { confirmed: true, revoked: "NotStarted" }],
    ["a hold whose main crash-loops", "CrashLooping", {}, { confirmed: true, revoked: "CrashLooping" }],
    ["a hold that nobody renews", "NotRenewable", { annotations: { renew: "false" } }, { confirmed: true }],
  ])("of %s is refused: %s", async (_what, reason, options, hold) => {
    const { lease, pod, bearer, token } = await world.newHolder(options, hold);
    const { status, body } = await one.post(PATH.renew, bearer, { lease, token, ttlMs: TTL_MS });
    expect([status, body]).toEqual([
      409,
      { reason, holder: pod.name, message: expect.any(String), serverTime: expect.any(String) },
    ]);
  });

  test("of an outdated token, or of a deleted Lease, is refused", async () => {
    const { lease, bearer, token } = await world.newHolder();
    const late = await one.post(PATH.renew, bearer, { lease, token: token - 1, ttlMs: TTL_MS });
    expect([late.status, late.body["reason"]]).toEqual([409, "NotHolder"]);
    await world.deleteLease(lease);
    const gone = await one.post(PATH.renew, bearer, { lease, token, ttlMs: TTL_MS });
    expect([gone.status, gone.body["reason"]]).toEqual([409, "Revoked"]);
  });
});

describe("announce", () => {
  test("frees nothing", async () => {
    const { lease, bearer, token } = await world.newHolder();
    expect((await one.post(PATH.announce, bearer, { lease, token })).status).toBe(200);
    expect((await world.lease(lease)).status.hold).toMatchObject({ token, releasing: true });
  });

  test("of a hold that is over does nothing", async () => {
    const { lease, bearer, token } = await world.newHolder();
    expect((await one.post(PATH.announce, bearer, { lease, token: token - 1 })).status).toBe(200);
    expect((await world.lease(lease)).status.hold).toMatchObject({ token, releasing: false });
  });
});

interface Ending {
  sincePreStopMs?: number;
  /** The grace period of the pod's deletion before; undefined: not deleted. */
  deletedWithin?: number;
  main?: MainState;
  hold?: Partial<Hold>;
}

describe("release", () => {
  const confirmed = { confirmed: true };
  async function release({ sincePreStopMs, deletedWithin, main, hold = confirmed }: Ending) {
    const { lease, pod, bearer, token } = await world.newHolder({}, hold);
    await world.showPassed(pod, token, main);
    await one.post(PATH.announce, bearer, { lease, token });
    if (deletedWithin !== undefined) await world.deletePod(pod, deletedWithin);
    const { status, body } = await one.post(PATH.release, bearer, { lease, token, sincePreStopMs });
    return { status, released: body["released"], lease: (await world.lease(lease)).status };
  }

  test.each<[string, Ending]>([
    ["a pod that completed", { sincePreStopMs: 100, main: "ended" }],
    ["a deleted pod within its grace period", { sincePreStopMs: 5_000, deletedWithin: 30 }],
    [
      "an expired hold of a pod that completed",
      { sincePreStopMs: 100, main: "ended", hold: { ...confirmed, expired: true } },
    ],
    ["a hold that was never confirmed", { main: "waiting", hold: { confirmed: false } }],
  ])("frees at once: %s", async (_what, ending) => {
    const { status, released, lease } = await release(ending);
    expect([status, released]).toEqual([200, true]);
    expect(lease.hold).toBeUndefined();
    expect(lease.history[0]).toMatchObject({ reason: "Released" });
  });

  test.each<[string, Ending]>([
    ["when the preStop is not known", {}],
    ["an evicted pod", { sincePreStopMs: 1_000 }],
    ["a keeper that is stopped alone", { sincePreStopMs: 100 }],
    ["a deleted pod whose grace period is over", { sincePreStopMs: 29_500, deletedWithin: 30 }],
    ["a pod that was deleted by force", { sincePreStopMs: 100, deletedWithin: 0 }],
    ["a pod whose main was not seen", { sincePreStopMs: 100, main: "waiting" }],
  ])("waits for proof: %s", async (_what, ending) => {
    const { status, released, lease } = await release(ending);
    expect([status, released]).toEqual([200, false]);
    expect(lease.hold).toMatchObject({ releasing: true });
  });

  test("of a hold that is over succeeds", async () => {
    const { lease, bearer, token } = await world.newHolder();
    await world.change(lease, (status) => endHold({ status }, "Terminated", Date.now()));
    const { body } = await one.post(PATH.release, bearer, { lease, token, sincePreStopMs: 100 });
    expect(body).toMatchObject({ released: true });
  });

  test("and renewal at two replicas at once leave no hold", async () => {
    const { lease, pod, bearer, token } = await world.newHolder();
    await world.showPassed(pod, token, "ended");
    const [released, renewed] = await Promise.all([
      one.post(PATH.release, bearer, { lease, token, sincePreStopMs: 100 }),
      other.post(PATH.renew, bearer, { lease, token, ttlMs: TTL_MS }),
    ]);
    expect(released.body).toMatchObject({ released: true });
    expect([200, 409]).toContain(renewed.status);
    expect((await world.lease(lease)).status.hold).toBeUndefined();
  });
});

test("a replica that begins to drain tells its callers at once to reconnect", async () => {
  const leaving = await world.startReplica();
  const { lease, bearer, token } = await world.newHolder();
  const renew = () => leaving.post(PATH.renew, bearer, { lease, token, ttlMs: TTL_MS });
  expect((await renew()).headers.connection).not.toBe("close");
  const drained = leaving.server.drain({ settleMs: 1_000 });
  const renewed = await renew();
  expect([renewed.status, renewed.headers.connection]).toEqual([200, "close"]);
  await drained;
});

test("a replica that drains makes its gates reconnect and goes on answering keepers", async () => {
  const leaving = await world.startReplica();
  const { lease, bearer: keeper, token } = await world.newHolder();
  const { bearer } = await world.newPod({ lease });
  const lines = await leaving.acquire(bearer, { lease });
  expect(await lines.next()).toMatchObject({ state: "waiting" });
  await leaving.server.drain({ settleMs: 0 });
  expect(await lines.next()).toMatchObject({ state: "reconnect" });
  expect(await lines.next()).toBeUndefined();
  await lines.closed;
  const again = await leaving.acquire(bearer, { lease });
  expect(await again.next()).toMatchObject({ state: "reconnect" });
  const renewed = await leaving.post(PATH.renew, keeper, { lease, token, ttlMs: TTL_MS });
  expect([renewed.status, renewed.headers.connection]).toEqual([200, "close"]);
});
