import { describe, expect, test } from "vitest";
import { grantHold, holderRefOf, holdTtlMs, nextToken, regrantHold } from "../../../src/lease/grant.ts";
import { changeHold, endHold, holdOf, tokensOf } from "../../../src/lease/hold.ts";
import { leftUnwrittenMs, type Renewal, renewHold } from "../../../src/lease/hold-renewal.ts";
import { parsePod } from "../../../src/lease/pod.ts";
import type { Hold, Lease, LeaseSpec } from "../../../src/lease/types.ts";
import { aHold, aLease, aRequest, held, NOW_MS } from "./samples.ts";

const CLAIM = { uid: "pod-1", token: 41 };
const RENEWAL = { ...CLAIM, countedTtlMs: 60_000, wantedTtlMs: 60_000, renew: true };

describe("tokens", () => {
  const createdMs = aLease().createdMs;
  const granted = (token: number) => aRequest({ status: { phase: "Granted", token } });

  test.each<[string, number | undefined, number[], number, number]>([
    [
      "the first token lies in the second of the Lease's creation",
      undefined,
      [],
      createdMs + 400,
      createdMs + 400,
    ],
    [
      "not after that second, however late the grant is",
      undefined,
      [],
      createdMs + 86_400_000,
      createdMs + 1_000,
    ],
    [
      "not before that second, however far this machine's clock is behind",
      undefined,
      [],
      createdMs - 86_400_000,
      createdMs,
    ],
    [
      "one more than any token that a request remembers",
      undefined,
      [createdMs + 5_000],
      createdMs,
      createdMs + 5_001,
    ],
    ["one more with each grant", 41, [], createdMs, 42],
    ["one more than a request's token, if that is above the Lease's", 41, [50, 3], createdMs, 51],
  ])("%s", (_, lastToken, tokens, nowMs, token) => {
    const lease = aLease(lastToken === undefined ? {} : { lastToken });
    expect(nextToken(lease, tokens.map(granted), nowMs)).toBe(token);
  });

  test("a Lease that is recreated within one second does not repeat a token", () => {
    const first = nextToken(aLease(), [], createdMs + 100);
    expect(nextToken(aLease(), [], createdMs + 200)).toBeGreaterThan(first);
  });
});

describe("a renewal", () => {
  test.each<
    [string, Partial<Hold>, Partial<LeaseSpec>, Partial<typeof RENEWAL> & { maxHoldMs?: number }, string]
  >([
    ["by another pod", {}, {}, { uid: "pod-2" }, "NotHolder"],
    ["under an earlier token", {}, {}, { token: 40 }, "NotHolder"],
    ["of an expired hold, since somebody else may be about to start", { expired: true }, {}, {}, "NotHolder"],
    ["of an expired hold that was not confirmed", { expired: true, confirmed: false }, {}, {}, "NotHolder"],
    ["after a forced release", { revoked: "Forced" }, {}, {}, "Revoked"],
    ["when main did not start in time", { revoked: "NotStarted" }, {}, {}, "NotStarted"],
    ["when main crash-loops", { revoked: "CrashLooping" }, {}, {}, "CrashLooping"],
    ["as the confirmation of a revoked grant", { revoked: "Forced", confirmed: false }, {}, {}, "Revoked"],
    ["of a Lease that is not renewable", {}, { renewable: false }, {}, "NotRenewable"],
    ["of a pod that does not renew", {}, {}, { renew: false }, "NotRenewable"],
    ["after max-hold", {}, {}, { maxHoldMs: 10_000 }, "MaxHold"],
  ])("is refused %s", (_, hold, spec, renewal, reason) => {
    expect(renewHold(held(hold, spec), { ...RENEWAL, ...renewal }, NOW_MS)).toEqual({ ok: false, reason });
  });

  test("is refused where nobody holds", () => {
    expect(renewHold(aLease({ lastToken: 41 }), RENEWAL, NOW_MS)).toEqual({ ok: false, reason: "NotHolder" });
  });

  test("counts, restarts the ttl, and shows that the keeper runs", () => {
    expect(renewHold(held({ releasing: true }), { ...RENEWAL, maxHoldMs: 10_001 }, NOW_MS)).toMatchObject({
      ok: true,
      hold: {
        renewals: 4,
        expiresMs: NOW_MS + 60_000,
        releasing: false,
        token: 41,
        acquiredMs: NOW_MS - 10_000,
      },
    });
  });

  test("that confirms is always allowed, restarts the ttl and is not counted", () => {
    const lease = held({ confirmed: false, renewals: 0 }, { renewable: false });
    const confirmation = { ...RENEWAL, renew: false, maxHoldMs: 1 };
    expect(renewHold(lease, confirmation, NOW_MS)).toMatchObject({
      ok: true,
      hold: { confirmed: true, renewals: 0, expiresMs: NOW_MS + 60_000 },
    });
  });

  test("that repeats a confirmation counts as the confirmation until the keeper renews", () => {
    const again = { ...RENEWAL, renew: false, maxHoldMs: 1, gateRun: "b/7" };
    const confirmed = { renewals: 0, gateRun: "b/7" };
    expect(renewHold(held(confirmed, { renewable: false }), again, NOW_MS)).toMatchObject({
      ok: true,
      hold: { renewals: 0, expiresMs: NOW_MS + 60_000 },
    });
    expect(renewHold(held({ ...confirmed, renewals: 1 }), again, NOW_MS)).toEqual({
      ok: false,
      reason: "NotRenewable",
    });
  });

  test.each([
    [90_000, 60_000, 90_000],
    [30_000, 60_000, 60_000],
    [30_000, 30_000, 30_000],
    [30_000, 365 * 24 * 3_600_000, 60_000],
  ])(
    "sets the ttl for a wanted %i ms and a keeper that counts %i ms to %i ms, never below what the keeper was told",
    (wantedTtlMs, countedTtlMs, ttlMs) => {
      const renewal = { ...RENEWAL, wantedTtlMs, countedTtlMs };
      expect(renewHold(held({ ttlMs: 60_000 }), renewal, NOW_MS)).toMatchObject({
        hold: { ttlMs, expiresMs: NOW_MS + ttlMs },
      });
    },
  );
});

describe("a renewal right after another", () => {
  const renewedAgain = (agoMs: number, change: Partial<Renewal> = {}) => {
    // Whatever the time of day says.
    const lease = held({ ttlMs: 60_000, expiresMs: NOW_MS + 7_000 });
    const result = renewHold(lease, { ...RENEWAL, ...change }, NOW_MS);
    const { hold } = lease.status;
    if (!result.ok || !hold) throw new Error("it is not renewed");
    return leftUnwrittenMs(hold, result.hold, agoMs);
  };

  test("need not be written within a second, and its holder counts from the written one", () => {
    expect(renewedAgain(0)).toBe(60_000);
    expect(renewedAgain(999)).toBe(59_001);
  });

  test.each([
    ["later", 1_000, {}],
    ["where another replica has written the previous one", Number.POSITIVE_INFINITY, {}],
    ["with another ttl", 500, { wantedTtlMs: 90_000 }],
    ["by another run of the keeper", 500, { keeperSince: "b/900000" }],
  ])("is written %s", (_, agoMs, change) => {
    expect(renewedAgain(agoMs, change)).toBeUndefined();
  });
});

describe("a delayed message", () => {
  const RUNS = { gateRun: "b/2000", renewals: 0 };

  test("a confirmation by an earlier run does not replace one by a later run", () => {
    const late = { ...RENEWAL, gateRun: "b/1000" };
    expect(renewHold(held(RUNS), late, NOW_MS)).toEqual({ ok: false, reason: "NotHolder" });
  });

  test("a confirmation is refused once a keeper has renewed", () => {
    const lease = held({ ...RUNS, keeperSince: "b/2050", releasing: true });
    const late = { ...RENEWAL, gateRun: "b/2000" };
    expect(renewHold(lease, late, NOW_MS)).toEqual({ ok: false, reason: "NotHolder" });
  });

  test("a repeated confirmation does not undo that the keeper, of version 0.1.0, was asked to stop", () => {
    const again = { ...RENEWAL, gateRun: "b/2000" };
    expect(renewHold(held({ ...RUNS, releasing: true }), again, NOW_MS)).toMatchObject({
      ok: true,
      hold: { releasing: true },
    });
  });

  test.each([
    ["by the keeper that was asked to stop", "b/3000", true, "b/9000"],
    ["by a keeper that began when the first was asked", "b/9000", true, "b/9000"],
    ["by a keeper that began later", "b/9001", false, "b/9001"],
    ["by a keeper on a rebooted node", "c/10", false, "c/10"],
  ])("a renewal %s keeps or clears the releasing mark", (_, keeperSince, releasing, since) => {
    const lease = held({ ...RUNS, renewals: 3, keeperSince: "b/9000", releasing: true });
    expect(renewHold(lease, { ...RENEWAL, keeperSince }, NOW_MS)).toMatchObject({
      ok: true,
      hold: { renewals: 4, expiresMs: NOW_MS + 60_000, releasing, keeperSince: since },
    });
  });

  test("a renewal is refused after one by a later keeper", () => {
    const lease = held({ ...RUNS, keeperSince: "b/9000" });
    expect(renewHold(lease, { ...RENEWAL, keeperSince: "b/3000" }, NOW_MS)).toEqual({
      ok: false,
      reason: "NotHolder",
    });
  });
});

test("a hold belongs only to its own claimant, under its own token", () => {
  expect(holdOf(held(), CLAIM)).toEqual(aHold());
  expect(holdOf(held(), { ...CLAIM, token: 42 })).toBeUndefined();
  expect(holdOf(held(), { ...CLAIM, uid: "pod-2" })).toBeUndefined();
  expect(holdOf(undefined, CLAIM)).toBeUndefined();
});

test("a grant keeps nothing of the previous hold, and records whose hold it is", () => {
  const before = endHold(held({ releasing: true, revoked: "Forced", unreachable: true }), "Expired", NOW_MS);
  const ref = { kind: "Pod" as const, name: "run-2", uid: "pod-2" };
  const request = aRequest({ uid: "request-2", spec: { holder: "run-2", ref } });
  const status = grantHold(before, { request, ref, token: 42, ttlMs: 30_000 }, NOW_MS);
  expect(status).toMatchObject({ lastToken: 42, lastRequest: "request-2" });
  expect(status.hold).toEqual({
    holder: "run-2",
    ref,
    token: 42,
    acquiredMs: NOW_MS,
    expiresMs: NOW_MS + 30_000,
    ttlMs: 30_000,
    renewals: 0,
    confirmed: false,
    expired: false,
    releasing: false,
    unreachable: false,
  });
});

describe("the end of a hold", () => {
  test("becomes the first of ten entries in the history; lastToken and lastRequest stay", () => {
    let status = aLease().status;
    for (let token = 1; token <= 12; token++) {
      const grant = { request: aRequest(), ref: aHold().ref, token, ttlMs: 1 };
      const lease = { status: grantHold(status, grant, NOW_MS + 200 * token) };
      status = endHold(lease, "Released", NOW_MS + 200 * token + 100);
    }
    expect(status.hold).toBeUndefined();
    expect(status.history.map(({ token }) => token)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
    expect(status.history[0]).toEqual({
      holder: "ci",
      acquiredMs: NOW_MS + 2_400,
      endedMs: NOW_MS + 2_500,
      reason: "Released",
      token: 12,
    });
    expect(status).toMatchObject({ lastToken: 12, lastRequest: aRequest().uid });
  });

  test("names the admin who forced it, whatever proved it", () => {
    const forced = { token: aHold().token, by: "alice", now: false };
    const endOf = (change: Partial<Lease>) =>
      endHold({ ...held(), ...change }, "Terminated", NOW_MS).history[0];
    expect(endOf({ forced })).toMatchObject({ reason: "Forced", by: "alice" });
    expect(endOf({ forced: { ...forced, token: 40 } })).toMatchObject({ reason: "Terminated" });
  });

  test("changes nothing where nobody holds", () => {
    const { status } = aLease({ lastToken: 4 });
    expect(endHold({ status }, "Released", NOW_MS)).toBe(status);
    expect(changeHold(status, { expired: true })).toBe(status);
  });
});

test("a second grant to the same claimant has a new token, must be confirmed, and inherits no conditions", () => {
  const lease = held({ releasing: true, unreachable: true, revoked: "NotStarted", expired: true });
  const status = regrantHold(lease, [], NOW_MS);
  expect(status.hold).toEqual({
    ...aHold({ token: 42, acquiredMs: NOW_MS, expiresMs: NOW_MS + 60_000, renewals: 0, confirmed: false }),
  });
  expect(status).toMatchObject({ lastToken: 42, history: [{ token: 41, reason: "Restarted" }] });
  expect(regrantHold(aLease(), [], NOW_MS)).toEqual(aLease().status);
  expect(regrantHold(held({ once: "v42" }), [], NOW_MS).hold).toMatchObject({ once: "v42" });
});

describe("the properties of a new hold", () => {
  const podOf = (stopMs: number, isFencing: boolean) =>
    parsePod({
      spec: {
        nodeName: "node-1",
        terminationGracePeriodSeconds: 7,
        initContainers: [
          {
            name: "konductor-keeper",
            env: [{ name: "KONDUCTOR_STOP_MS", value: String(stopMs) }],
            ...(isFencing && { restartPolicyRules: [{ action: "RestartAllContainers" }] }),
          },
        ],
      },
    });

  test.each<[string, number | undefined, ReturnType<typeof podOf> | undefined, number]>([
    ["the Lease's ttl", undefined, undefined, 60_000],
    ["its own, however short, for a client", 1_000, undefined, 1_000],
    ["15 s at least for a pod", 1_000, podOf(0, false), 15_000],
    ["twice its stop at least for a pod that fences", 1_000, podOf(20_000, true), 40_000],
    ["its own for a pod whose stop does not matter", 16_000, podOf(20_000, false), 16_000],
  ])("%s", (_, ttlMs, pod, expected) => {
    expect(holdTtlMs(aLease(), ttlMs, pod)).toBe(expected);
  });

  test("a request without a holderRef holds for itself, whatever its holder is named", () => {
    const request = aRequest({ name: "r", uid: "u", spec: { holder: "run-1" } });
    expect(holderRefOf(request, undefined)).toEqual({ kind: "LeaseRequest", name: "r", uid: "u" });
  });

  test("a pod's hold keeps what must be known once the pod is gone", () => {
    const ref = { kind: "Pod" as const, name: "run-1", uid: "pod-1" };
    const known = { node: "node-1", graceSeconds: 7, selfFencing: true };
    expect(holderRefOf(aRequest({ spec: { ref } }), podOf(5_000, true))).toEqual({ ...ref, ...known });
    expect(holderRefOf(aRequest({ spec: { ref } }), undefined)).toEqual(ref);
  });
});

describe("the tokens under which a pod has held", () => {
  const POD = { name: "run-1", uid: "pod-1", job: { name: "run" } };
  const ended = (lease: Lease) => ({ ...lease, status: endHold(lease, "Expired", NOW_MS) });
  const ofJob = { holder: "run", ref: { kind: "Job", name: "run", uid: "job-1" } } as const;
  const member = { kind: "Pod", name: "run-1", uid: "pod-1", releasing: false } as const;
  const again = { ...ended(held()).status, hold: aHold({ token: 43 }) };

  test.each<[string, Lease, number[]]>([
    ["while it holds", held(), [41]],
    ["while it shares its Job's hold", held({ ...ofJob, pods: [member] }), [41]],
    ["when its hold has ended", ended(held()), [41]],
    ["when its Job's hold has ended", ended(held(ofJob)), [41]],
    ["when it holds again", aLease(again), [43, 41]],
  ])("are known %s", (_, lease, tokens) => {
    expect(tokensOf(lease, POD)).toEqual(tokens);
    expect(tokensOf(lease, { name: "other", uid: "pod-2" })).toEqual([]);
  });

  test("are unknown where the klease is gone", () => expect(tokensOf(undefined, POD)).toEqual([]));
});
