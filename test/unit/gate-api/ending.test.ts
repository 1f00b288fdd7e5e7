/** What a keeper's announcement or release does when its pod is gone or being deleted, and who may send it. */
import { errors } from "jose";
import { describe, expect, test } from "vitest";
import { parseLease } from "../../../src/lease/codec.ts";
import { type PodView, parsePod } from "../../../src/lease/pod.ts";
import { announce } from "../../../src/server/gate-api/hold/announce.ts";
import { findEnding, identifyEnding } from "../../../src/server/gate-api/hold/ending.ts";
import { createLeaseTurns } from "../../../src/server/gate-api/hold/lease-turns.ts";
import { release } from "../../../src/server/gate-api/hold/release-for-pod.ts";
import { renew } from "../../../src/server/gate-api/hold/renew-for-pod.ts";
import { createWrittenRenewals } from "../../../src/server/gate-api/hold/written-renewals.ts";
import type { GateApiContext } from "../../../src/server/gate-api/options.ts";
import type { PodIdentity } from "../../../src/server/identity/identity.ts";
import { type ErrorCode, KonductorError } from "../../../src/shared/errors.ts";
import { record } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { recordedClient } from "../controller/recorded-client.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { memoryCache } from "./memory-cache.ts";
import { memoryCaches } from "./samples.ts";

const POD: PodIdentity = { namespace: "a", name: "holder", uid: "holder", serviceAccount: "default" };
const HOLD = { lease: "report", token: 41 };
const START_MS = Date.parse("2026-01-01T00:05:00Z");
const STATUS = {
  phase: "Held",
  holder: "holder",
  holderRef: { kind: "Pod", name: "holder", uid: "holder", graceSeconds: 30 },
  fencingToken: 41,
  confirmed: true,
};

function podObject(metadata: object = {}) {
  return {
    metadata: {
      namespace: "a",
      name: "holder",
      uid: "holder",
      labels: { "konductor.io/lease": "report" },
      ...metadata,
    },
    spec: { terminationGracePeriodSeconds: 30 },
  };
}
const DELETED = { deletionTimestamp: "2026-01-01T00:06:30Z", deletionGracePeriodSeconds: 90 };

const leaseObject = (status: object, version = 1) => ({
  metadata: { namespace: "a", name: "report", uid: "lease", resourceVersion: `${version}` },
  spec: { ttl: "10m" },
  status,
});

interface Given {
  /** The pod in the API server. undefined means that it is gone. */
  live?: object | undefined;
  cached?: PodView;
  /** The error with which a review refuses the token, and the error with which its signature is refused. */
  review?: ErrorCode;
  signature?: ErrorCode;
  status?: object;
}

/** A replica whose klease a/report is held by pod `holder` with token 41. */
function replica({ live, cached, review, signature, status = STATUS }: Given) {
  const clock = turnedClock(START_MS);
  let lease = leaseObject(status);
  const { client } = recordedClient(({ what, sent }) => {
    if (what === "get leases") return lease;
    if (what === "get pods" && live) return live;
    if (what === "get pods") throw new KonductorError("NotFound", "no such pod");
    if (what !== "replaceStatus leases") throw new Error(`nobody asks to ${what}`);
    const { metadata, status } = record(sent);
    if (record(metadata)["resourceVersion"] !== lease.metadata.resourceVersion)
      throw new KonductorError("Conflict", "somebody was faster");
    lease = leaseObject(record(status), Number(lease.metadata.resourceVersion) + 1);
    return lease;
  });
  const caches = { ...memoryCaches(), pods: memoryCache<PodView>() };
  caches.leases.apply(parseLease(lease));
  if (cached) caches.pods.apply(cached);
  const answer = (code?: ErrorCode) => () =>
    code ? Promise.reject(new KonductorError(code, "refused")) : Promise.resolve(POD);
  const options: GateApiContext = {
    client,
    caches,
    events: { record: () => {} },
    reporter: { report: () => {} },
    authenticate: answer(review),
    verifySignature: answer(signature),
    trust: () => ({ ca: "", urls: [] }),
    clock,
    logger: createLogger({ level: "silent" }),
    systemNamespace: "konductor-system",
    createMissingLeases: true,
    turns: createLeaseTurns(clock),
    renewals: createWrittenRenewals(clock),
  };
  return {
    clock,
    options,
    hold: () => parseLease(lease).status.hold,
    ending: async (name = "report") => findEnding(options, await identifyEnding(options, "the-token"), name),
  };
}

describe("a message is accepted from", () => {
  test("an existing pod whose token a review accepts", async () => {
    const { ending } = replica({ live: podObject() });
    expect(await ending()).toMatchObject({ uid: "holder", pod: { name: "holder" } });
    expect(await ending()).not.toHaveProperty("stopping");
  });

  test("a pod that is being deleted, with the grace period of its deletion", async () => {
    const { ending } = replica({ live: podObject(DELETED) });
    expect(await ending()).toMatchObject({ stopping: { sinceMs: START_MS, graceSeconds: 90 } });
  });

  test.each<[string, Given]>([
    ["by a remembered review", {}],
    ["by its token's signature", { review: "Unauthenticated" }],
  ])("a pod that is gone, identified %s", async (_how, given) => {
    const { ending } = replica({ ...given, cached: parsePod(podObject(DELETED)) });
    const found = await ending("another");
    expect(found).toMatchObject({
      namespace: "a",
      uid: "holder",
      stopping: { sinceMs: START_MS, graceSeconds: 90 },
    });
  });
});

test.each<[string, Given, ErrorCode]>([
  [
    "an existing pod whose token a review refuses",
    { live: podObject(), review: "Unauthenticated" },
    "Unauthenticated",
  ],
  [
    "a pod that is being deleted and whose token a review refuses",
    { live: podObject(DELETED), review: "Unauthenticated" },
    "Unauthenticated",
  ],
  ["a pod with the label of another klease", { live: podObject({ labels: {} }) }, "Forbidden"],
  [
    "a pod whose token neither review nor signature accepts",
    { review: "Unauthenticated", signature: "Unauthenticated" },
    "Unauthenticated",
  ],
  ["any pod while no review is available", { review: "NotReady" }, "NotReady"],
  [
    "a pod that is gone while no keys are available",
    { review: "Unauthenticated", signature: "NotReady" },
    "NotReady",
  ],
])("%s is refused", async (_who, given, code) => {
  await expect(replica(given).ending()).rejects.toThrow(expect.objectContaining({ code }));
});

test("a caller that neither review nor signature accepts gets the review's reason", async () => {
  const { options } = replica({ review: "Unauthenticated", signature: "Unauthenticated" });
  const refused = new KonductorError("Unauthenticated", "it has expired");
  const asked = identifyEnding({ ...options, authenticate: () => Promise.reject(refused) }, "the-token");
  await expect(asked).rejects.toBe(refused);
});

test("a forged signature is not verified a second time", async () => {
  const cause = new errors.JWSSignatureVerificationFailed();
  const forged = new KonductorError("Unauthenticated", "the token is not signed by its key", { cause });
  const asked = identifyEnding(
    {
      authenticate: () => Promise.reject(forged),
      verifySignature: () => Promise.reject(new Error("it was verified again")),
    },
    "the-token",
  );
  await expect(asked).rejects.toBe(forged);
});

describe("the status records that a pod is being stopped", () => {
  const gone: Given = { review: "Unauthenticated" };

  test("when its hook announces that, and not again on a repetition or on SIGTERM", async () => {
    const { options, ending, hold, clock } = replica(gone);
    await announce(options, await ending(), HOLD);
    const noted = { releasing: true, ref: { stoppingSinceMs: START_MS, graceSeconds: 30 } };
    expect(hold()).toMatchObject(noted);
    await clock.turn(6_000);
    await announce(options, await ending(), HOLD);
    expect(await release(options, await ending(), { ...HOLD, sincePreStopMs: 6_000 })).toBe(false);
    expect(hold()).toMatchObject(noted);
  });

  test("when SIGTERM comes first", async () => {
    const { options, ending, hold } = replica(gone);
    expect(await release(options, await ending(), HOLD)).toBe(false);
    expect(hold()).toMatchObject({ releasing: true, ref: { stoppingSinceMs: START_MS } });
  });

  test("when its keeper's stop was already announced before the deletion", async () => {
    const conditions = [{ type: "Releasing", status: "True" }];
    const { options, ending, hold } = replica({ ...gone, status: { ...STATUS, conditions } });
    await announce(options, await ending(), HOLD);
    expect(hold()?.ref.stoppingSinceMs).toBe(START_MS);
  });

  test("but not when the pod exists and is not being deleted, since only its keeper is stopped", async () => {
    const { options, ending, hold } = replica({ live: podObject() });
    await announce(options, await ending(), HOLD);
    await release(options, await ending(), HOLD);
    expect(hold()).toMatchObject({ token: 41, releasing: true });
    expect(hold()?.ref.stoppingSinceMs).toBeUndefined();
  });

  test.each<[string, object, object]>([
    ["an earlier hold", { ...HOLD, token: 40 }, STATUS],
    ["another pod's hold", HOLD, { ...STATUS, holderRef: { kind: "Pod", name: "holder", uid: "z" } }],
    ["a hold that is over", HOLD, { phase: "Available", fencingToken: 41 }],
  ])("but not by signature alone for %s", async (_whose, message, status) => {
    const { options, ending, hold } = replica({ ...gone, status });
    const before = hold();
    const refused = expect.objectContaining({ code: "Unauthenticated" });
    await expect(announce(options, await ending(), { ...HOLD, ...message })).rejects.toThrow(refused);
    await expect(release(options, await ending(), { ...HOLD, ...message })).rejects.toThrow(refused);
    expect(hold()).toEqual(before);
  });
});

describe("a renewal by a pod that was being stopped", () => {
  const status = { ...STATUS, holderRef: { ...STATUS.holderRef, stoppingSince: "2026-01-01T00:04:59.000Z" } };
  const request = { ...HOLD, ttlMs: 600_000 };

  test("is refused if the pod is gone, whatever the cache of pods shows", async () => {
    const cached = parsePod(podObject());
    const { options, hold } = replica({ cached, status });
    await expect(renew(options, cached, request)).rejects.toThrow(
      expect.objectContaining({ code: "NotFound" }),
    );
    expect(hold()?.ref.stoppingSinceMs).toBe(START_MS - 1_000);
  });

  test("is accepted if the pod exists, since it runs on", async () => {
    const cached = parsePod(podObject());
    const { options, hold } = replica({ cached, live: podObject(DELETED), status });
    expect(await renew(options, cached, request)).toMatchObject({ ok: true });
    expect(hold()?.ref.stoppingSinceMs).toBeUndefined();
  });
});
