/** The rules for clients, which hold by a LeaseRequest of their own: one test for each rule. */
import { describe, expect, test } from "vitest";
import { decide } from "../../../src/lease/decide.ts";
import type { Situation } from "../../../src/lease/decision.ts";
import type { Hold, Lease, LeaseRequest } from "../../../src/lease/types.ts";
import { aHold, aLease, aRequest, JUST_NOW, NOW_MS, situationOf } from "./samples.ts";

const LONG_AGO = {
  heldForMs: 999_000,
  silentForMs: 999_000,
  answerableForMs: 999_000,
  expiredForMs: 999_000,
  endingForMs: 0,
  idleForMs: 0,
};
const RENEWED_MS = NOW_MS - 5_000;
const WAITS = { waitUntilMs: NOW_MS + 30_000 };

/** The request of the client that holds. */
const own = (spec: Partial<LeaseRequest["spec"]> = {}) =>
  aRequest({
    name: "own",
    spec: { renewTimeMs: RENEWED_MS, ...WAITS, ...spec },
    status: { phase: "Granted" },
  });
const waiter = aRequest({ name: "waiter", spec: WAITS });

function ownHold(change: Partial<Hold> = {}): Hold {
  const ref = { kind: "LeaseRequest", name: "own", uid: own().uid } as const;
  return aHold({ holder: "ci", ref, renewTimeMs: RENEWED_MS, ...change });
}

function leaseOf(hold: Hold, spec: Partial<Lease["spec"]> = {}): Lease {
  return aLease({ hold, lastToken: hold.token, lastRequest: hold.ref.uid }, spec);
}

function situation(change: Partial<Situation> = {}): Situation {
  return situationOf(leaseOf(ownHold()), {
    requests: [own(), waiter],
    ...change,
  });
}

const granted = { do: "write", why: "Granted", granted: waiter };
/** The hold's end and the next grant are one write. */
const endedAs = (reason: string) => ({ ...granted, status: { history: [{ token: 41, reason }] } });

describe("a release", () => {
  test("is the deletion of the request, once a live look has shown it", () => {
    const gone = situation({ requests: [waiter], isRequestGone: (uid) => uid === own().uid });
    expect(decide(gone)).toMatchObject(endedAs("Released"));
  });

  test("is not concluded from a cache that does not show the request", () => {
    const { ref } = ownHold();
    expect(decide(situation({ requests: [waiter] }))).toEqual({ do: "look", at: ref });
  });

  test("need not wait for finalizers of the deleted request", () => {
    const leaving = { ...own({ renewTimeMs: NOW_MS }), terminating: true };
    expect(decide(situation({ requests: [leaving, waiter] }))).toMatchObject(endedAs("Released"));
  });

  test("is not shown by another request under the same name", () => {
    const { ref } = ownHold();
    const other = { ...own(), uid: "of the next process" };
    expect(decide(situation({ requests: [other] }))).toEqual({ do: "look", at: ref });
  });

  test("of an expired hold still counts as a release", () => {
    const lease = leaseOf(ownHold({ expired: true }));
    expect(decide(situation({ lease, requests: [waiter], isRequestGone: () => true }))).toMatchObject(
      endedAs("Released"),
    );
  });
});

describe("a renewal", () => {
  const asking = own({ renewTimeMs: NOW_MS });

  test("is a later renewTime: it counts, restarts the ttl, and is noted in the status", () => {
    expect(decide(situation({ requests: [asking] }))).toMatchObject({
      do: "write",
      why: "Renewed",
      trace: asking,
      status: { hold: { renewals: 4, expiresMs: NOW_MS + 60_000, renewTimeMs: NOW_MS, token: 41 } },
    });
  });

  test("that comes late is accepted until the status says that the hold has expired", () => {
    expect(decide(situation({ requests: [asking], timers: LONG_AGO }))).toMatchObject({ why: "Renewed" });
  });

  test("is counted only once", () => {
    expect(decide(situation())).toEqual({ do: "wait", forMs: 62_000 });
  });

  test("is not read from a stale copy of the request, from before its last renewal", () => {
    const before = own({ renewTimeMs: RENEWED_MS - 1 });
    const { renewTimeMs: _, ...never } = own().spec;
    for (const old of [before, { ...before, spec: never }]) {
      expect(decide(situation({ requests: [old] }))).toEqual({ do: "wait", forMs: 62_000 });
    }
  });

  test("that is refused is acknowledged, and extends nothing", () => {
    const hold = ownHold();
    const lease = leaseOf(hold, { renewable: false });
    expect(decide(situation({ lease, requests: [asking] }))).toMatchObject({
      do: "write",
      why: "NotRenewed",
      status: { hold: { ...hold, renewTimeMs: NOW_MS } },
    });
  });

  test("that is refused does not keep a silent hold from expiring", () => {
    const lease = leaseOf(ownHold(), { renewable: false });
    const timers = { ...JUST_NOW, heldForMs: 62_000, silentForMs: 62_000 };
    expect(decide(situation({ lease, requests: [asking], timers }))).toMatchObject({ why: "Expiring" });
  });

  test("cannot revive an expired hold", () => {
    const lease = leaseOf(ownHold({ expired: true }));
    expect(decide(situation({ lease, requests: [asking, waiter] }))).toMatchObject(endedAs("Expired"));
  });

  test.each([
    ["a longer spec.ttl takes effect with it", { ttlMs: 90_000 }, {}, 90_000],
    ["a shorter spec.ttl waits for the next hold", { ttlMs: 30_000 }, {}, 60_000],
    ["the request's own ttl takes precedence", { ttlMs: 90_000 }, { ttlMs: 60_000 }, 60_000],
  ])("%s", (_, leaseSpec, spec, ttlMs) => {
    const lease = leaseOf(ownHold(), leaseSpec);
    const requests = [own({ renewTimeMs: NOW_MS, ...spec })];
    expect(decide(situation({ lease, requests }))).toMatchObject({
      status: { hold: { ttlMs, expiresMs: NOW_MS + ttlMs } },
    });
  });
});

test("a hold whose request does not show the grant yet ends for its own reason, before the request is retired", () => {
  const pending: LeaseRequest = { ...own(), status: { phase: "Pending" } };
  const lease = leaseOf(ownHold({ expired: true }));
  const requests = [pending, waiter];
  const ended = decide(situation({ lease, requests }));
  expect(ended).toMatchObject({ do: "write", why: "Expired", status: { history: [{ token: 41 }] } });
  if (ended.do !== "write") throw new Error("nothing was written");
  const next = decide(situation({ lease: { ...lease, status: ended.status }, requests }));
  expect(next).toEqual({ do: "retire", request: pending });
});

describe("a confirmation", () => {
  const { renewTimeMs: _, ...silent } = own().spec;
  const { renewTimeMs: __, ...fresh } = ownHold({ confirmed: false, renewals: 0 });
  const unanswered = { ...own(), spec: silent };
  const silentFor = (silentForMs: number, request: LeaseRequest = unanswered) =>
    situation({
      lease: leaseOf(fresh, { renewable: false }),
      requests: [request, waiter],
      timers: { ...JUST_NOW, heldForMs: silentForMs, silentForMs, answerableForMs: silentForMs },
    });

  test("is awaited for 10 s, then the next request is served", () => {
    expect(decide(silentFor(4_000))).toEqual({ do: "wait", forMs: 6_000 });
    expect(decide(silentFor(10_000))).toMatchObject(endedAs("NotConfirmed"));
  });

  test("is allowed where renewals are not, and does not count as one", () => {
    const confirming = own({ renewTimeMs: NOW_MS });
    expect(decide(silentFor(4_000, confirming))).toMatchObject({
      why: "Renewed",
      trace: confirming,
      status: { hold: { confirmed: true, renewals: 0, expiresMs: NOW_MS + 60_000 } },
    });
  });

  test("that comes late counts, unless the grant was taken back", () => {
    expect(decide(silentFor(99_000, own({ renewTimeMs: NOW_MS })))).toMatchObject({
      why: "Renewed",
      status: { hold: { confirmed: true } },
    });
  });

  test("is not asked of a request without waitUntil, as applied by kubectl: the grant is confirmed at once", () => {
    const applied = aRequest({ name: "applied" });
    const free = aLease({ lastToken: 41 });
    expect(decide(situation({ lease: free, requests: [applied] }))).toMatchObject({
      granted: applied,
      status: { hold: { confirmed: true, renewals: 0 } },
    });
  });

  test("that never comes costs the request its turn", () => {
    const pending: LeaseRequest = { ...unanswered, status: { phase: "Pending" } };
    const lease = aLease({ lastToken: 41, lastRequest: pending.uid });
    expect(decide(situation({ lease, requests: [pending, waiter] }))).toEqual({
      do: "retire",
      request: pending,
    });
  });
});

describe("silence", () => {
  const silentFor = (silentForMs: number) => situation({ timers: { ...JUST_NOW, silentForMs } });

  test("ends a hold after its ttl and 2 s, not earlier, and phase Expired is shown first", () => {
    expect(decide(silentFor(61_000))).toEqual({ do: "wait", forMs: 1_000 });
    expect(decide(silentFor(62_000))).toMatchObject({
      why: "Expiring",
      status: { hold: { token: 41, expired: true } },
    });
  });

  test("is measured against the hold's ttl, whatever the Lease's ttl is by now", () => {
    const timers = { ...JUST_NOW, silentForMs: 61_000 };
    expect(decide(situation({ lease: leaseOf(ownHold(), { ttlMs: 1_000 }), timers }))).toEqual({
      do: "wait",
      forMs: 1_000,
    });
  });

  test("lets the next request start at once after expiry, since a client leaves nothing to be stopped", () => {
    const lease = leaseOf(ownHold({ expired: true }), { handoverPolicy: "AfterTermination" });
    expect(decide(situation({ lease }))).toMatchObject(endedAs("Expired"));
  });

  test("shows phase Expired for 1 s where nobody waits", () => {
    const lease = leaseOf(ownHold({ expired: true }));
    const shownFor = (expiredForMs: number) =>
      decide(situation({ lease, requests: [own()], timers: { ...LONG_AGO, expiredForMs } }));
    expect(shownFor(400)).toEqual({ do: "wait", forMs: 600 });
    expect(shownFor(1_000)).toMatchObject({ do: "write", why: "Expired" });
  });
});

describe("a request that waits", () => {
  const free = (...requests: LeaseRequest[]) => situation({ lease: aLease({ lastToken: 41 }), requests });

  test("is served until its waitUntil, and not after", () => {
    const until = (waitUntilMs: number) => aRequest({ name: "a", spec: { requestedAtMs: 0, waitUntilMs } });
    expect(decide(free(until(NOW_MS)))).toMatchObject({ why: "Granted" });
    expect(decide(free(until(NOW_MS - 1)))).toEqual({ do: "wait" });
    expect(decide(free(until(NOW_MS - 1), waiter))).toMatchObject(granted);
  });

  test("for one try is granted when it is first seen, however long ago its waitUntil was", () => {
    const longAgoMs = NOW_MS - 600_000;
    const once = aRequest({ name: "once", spec: { requestedAtMs: longAgoMs, waitUntilMs: longAgoMs } });
    expect(decide(free(once))).toMatchObject({ why: "Granted", granted: once });
  });

  test("holds under its own name and uid, for its own ttl, from the renewTime that it has", () => {
    const renewTimeMs = NOW_MS - 1;
    const request = aRequest({ name: "a", spec: { holder: "me", ttlMs: 5_000, renewTimeMs, ...WAITS } });
    expect(decide(free(request))).toMatchObject({
      status: {
        lastRequest: request.uid,
        hold: {
          ...{ holder: "me", ref: { kind: "LeaseRequest", name: "a", uid: request.uid } },
          ...{ ttlMs: 5_000, confirmed: false, renewTimeMs },
        },
      },
    });
  });

  test("waits for clients that run under a hold of a deleted klease", () => {
    const lease = aLease();
    expect(decide(situation({ lease, unrecordedHolders: 1 }))).toEqual({ do: "wait", forMs: 5_000 });
    expect(decide(situation({ lease, requests: [waiter] }))).toMatchObject(granted);
  });
});
