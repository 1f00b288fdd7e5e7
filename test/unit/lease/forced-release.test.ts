/** What a forced release by an admin does to a hold: one test for each rule. */
import { describe, expect, test } from "vitest";
import { decide } from "../../../src/lease/decide.ts";
import type { Situation } from "../../../src/lease/decision.ts";
import type { Evidence } from "../../../src/lease/evidence.ts";
import { renewHold } from "../../../src/lease/hold-renewal.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import type { ForcedRelease, Hold, Lease } from "../../../src/lease/types.ts";
import { createPod, nodeNameOf, statusOf } from "./pod-fixture.ts";
import { aHold, aRequest, held, NOW_MS, situationOf } from "./samples.ts";

const GATE_MS = NOW_MS - 120_000;
const { token } = aHold();
const truth = {
  ...createPod(1, { selfFencing: true, restartPolicy: "Never" as const }),
  token,
  gate: "passed" as const,
  gateFinishedMs: GATE_MS,
  keeperStartedMs: GATE_MS,
  mainStartedMs: GATE_MS,
};

const present = (change: Partial<PodView> = {}): Evidence => ({
  is: "present",
  pod: { ...statusOf({ ...truth, main: "running", keeper: "running" }), ...change },
});
function unbound(): Evidence {
  const { node: _, ...pod } = statusOf({ ...truth, main: "waiting", keeper: "waiting" });
  return { is: "present", pod };
}

const gone: Evidence = { is: "gone", isFinal: false, nodeOutOfService: false };

function forcedLease(hold: Partial<Hold> = {}, word: Partial<ForcedRelease> = {}): Lease {
  return { ...held(hold), forced: { token, by: "alice", now: false, ...word } };
}

function situation(change: Partial<Situation> = {}): Situation {
  return situationOf(forcedLease(), {
    requests: [aRequest({ name: "waiter" })],
    evidenceOf: () => present(),
    isNodeReady: (node) => node === nodeNameOf(truth),
    timers: {
      heldForMs: 60_000,
      silentForMs: 0,
      answerableForMs: 0,
      expiredForMs: 0,
      endingForMs: 0,
      idleForMs: 0,
    },
    ...change,
  });
}

const past = { token, reason: "Forced", by: "alice", endedMs: NOW_MS };
const takenAtItsWord = { do: "write", why: "Granted", status: { lastToken: token + 1, history: [past] } };

describe("a pod that is seen running on a Ready node", () => {
  test("is first revoked, so that its renewals are refused", () => {
    expect(decide(situation())).toMatchObject({
      do: "write",
      why: "Revoked",
      status: { hold: { token, revoked: "Forced" } },
    });
    const renewal = { uid: aHold().ref.uid, token, countedTtlMs: 60_000, wantedTtlMs: 60_000, renew: true };
    expect(renewHold(forcedLease(), renewal, NOW_MS)).toEqual({ ok: false, reason: "Revoked" });
  });

  test("is then deleted, even if it could fence itself, and its end is awaited", () => {
    const lease = forcedLease({ revoked: "Forced" });
    expect(decide(situation({ lease }))).toMatchObject({ do: "deletePod", ref: { uid: "pod-1" } });
    const leaving = present({ deletionMs: NOW_MS });
    expect(decide(situation({ lease, evidenceOf: () => leaving }))).toMatchObject({ do: "wait" });
    const ended = present(statusOf({ ...truth, main: "ended", mainExit: 143, keeper: "ended" }));
    expect(decide(situation({ lease, evidenceOf: () => ended }))).toMatchObject(takenAtItsWord);
  });

  test("that is also silent expires, and its end is awaited as usual", () => {
    const lease = forcedLease({ revoked: "Forced" });
    const timers = {
      heldForMs: 99_000,
      silentForMs: 99_000,
      answerableForMs: 99_000,
      expiredForMs: 0,
      endingForMs: 9_000,
      idleForMs: 0,
    };
    const leaving = { lease, timers, evidenceOf: () => present({ deletionMs: NOW_MS }) };
    expect(decide(situation(leaving))).toMatchObject({ do: "write", why: "Expiring" });
    const expired = forcedLease({ revoked: "Forced", expired: true });
    expect(decide(situation({ ...leaving, lease: expired }))).toMatchObject({ do: "wait" });
  });
});

describe("a forced release takes effect at once", () => {
  test.each<[string, Partial<Situation>]>([
    ["where the pod is gone", { evidenceOf: () => gone }],
    ["where the pod's node is not Ready", { isNodeReady: () => false }],
    ["where the pod is on no node", { evidenceOf: unbound }],
    ["where the admin has asked for that", { lease: forcedLease({}, { now: true }) }],
    [
      "after its deletion, where the node has died meanwhile",
      {
        lease: forcedLease({ revoked: "Forced" }),
        evidenceOf: () => present({ deletionMs: NOW_MS }),
        isNodeReady: () => false,
      },
    ],
    [
      "where nothing runs yet, since the grant is not confirmed",
      { lease: forcedLease({ confirmed: false }) },
    ],
    [
      "where nothing else would end the hold",
      { lease: forcedLease({ expired: true, unreachable: true }), isNodeReady: () => false },
    ],
  ])("%s", (_, change) => {
    expect(decide(situation(change))).toMatchObject(takenAtItsWord);
  });

  test("for a client, which only itself can stop", () => {
    const request = aRequest({ name: "own", status: { phase: "Granted", token } });
    const ref = { kind: "LeaseRequest", name: "own", uid: request.uid } as const;
    const requests = [request, aRequest({ name: "waiter" })];
    const asking = { ...request, spec: { ...request.spec, renewTimeMs: NOW_MS } };
    for (const own of [request, asking]) {
      const change = { lease: forcedLease({ ref }), requests: [own, ...requests.slice(1)] };
      expect(decide(situation(change))).toMatchObject(takenAtItsWord);
    }
    // It makes no difference whether the client's request still exists.
    expect(decide(situation({ lease: forcedLease({ ref }), requests: [] }))).toMatchObject({
      do: "write",
      why: "Forced",
      status: { history: [past] },
    });
  });

  test("but not before the pod was looked at", () => {
    const { ref } = aHold();
    expect(decide(situation({ evidenceOf: () => ({ is: "unknown" }) }))).toEqual({ do: "look", at: ref });
  });
});

test("where proof of the end comes first, the history still names the admin", () => {
  const ended = present(statusOf({ ...truth, main: "ended", mainExit: 0, keeper: "ended" }));
  expect(decide(situation({ evidenceOf: () => ended, requests: [] }))).toMatchObject({
    status: { history: [past] },
  });
});

test("a forced release of an earlier hold has no effect", () => {
  const lease = forcedLease({}, { token: token - 1, now: true });
  expect(decide(situation({ lease }))).toEqual({ do: "wait", forMs: 62_000 });
  const renewal = { uid: aHold().ref.uid, token, countedTtlMs: 60_000, wantedTtlMs: 60_000, renew: true };
  expect(renewHold(lease, renewal, NOW_MS)).toMatchObject({ ok: true });
});
