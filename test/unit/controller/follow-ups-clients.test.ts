/** What follows from a Lease's status for the requests of clients. */
import { describe, expect, test } from "vitest";
import { deletableAtMs, type FollowUpInput, followUps } from "../../../src/lease/follow-ups.ts";
import type { EndReason, Hold, Lease, LeaseRequest, RequestPhase } from "../../../src/lease/types.ts";
import { aHold, aLease, aRequest, NOW_MS, situationOf } from "../lease/samples.ts";

const TOKEN = aHold().token;
const KEPT_MS = 60_000;
const WAITS = { waitUntilMs: NOW_MS + 30_000 };
const ONCE = { requestedAtMs: NOW_MS - 1_000, waitUntilMs: NOW_MS - 1_000 };
const GRANTED = { phase: "Granted", token: TOKEN, holdTtlMs: 60_000 } as const;

const held = () => heldBy(aRequest({ name: "other" }));

function heldBy({ name, uid }: LeaseRequest, change: Partial<Hold> = {}): Lease {
  return aLease({ hold: aHold({ ref: { kind: "LeaseRequest", name, uid }, ...change }), lastToken: TOKEN });
}

function follow(lease: Lease, request: LeaseRequest, change: Partial<FollowUpInput> = {}) {
  return followUps({ ...situationOf(lease, { requests: [request] }), hasLapsed: () => false, ...change });
}

describe("the request by which a client holds", () => {
  const own = aRequest({ name: "own", spec: WAITS });

  test("shows the hold: token and ttl", () => {
    expect(follow(heldBy(own), own)).toEqual([{ do: "mark", request: own, status: GRANTED }]);
  });

  test("is left alone once it shows the hold", () => {
    expect(follow(heldBy(own), { ...own, status: GRANTED })).toEqual([]);
  });

  test("follows the hold's ttl", () => {
    const request = { ...own, status: GRANTED };
    expect(follow(heldBy(own, { ttlMs: 90_000 }), request)).toEqual([
      { do: "mark", request, status: { ...GRANTED, holdTtlMs: 90_000 } },
    ]);
  });

  test("is marked as granted, although it was denied at the same moment", () => {
    const denied: LeaseRequest = { ...own, status: { phase: "Denied", reason: "Held", expiresMs: NOW_MS } };
    expect(follow(heldBy(own), denied)).toMatchObject([{ do: "mark", status: GRANTED }]);
  });

  test("is not put back when it is gone, since that is a release", () => {
    expect(follow(heldBy(own), own, { requests: [] })).toEqual([]);
  });
});

describe("a request for a single try", () => {
  const once = aRequest({ name: "once", spec: ONCE });

  test("is denied if it was not granted, which can be read for a minute", () => {
    const status = { phase: "Denied", reason: "Held", expiresMs: NOW_MS + KEPT_MS };
    const denial = [{ do: "deny", request: once, status }];
    expect(follow(held(), once)).toEqual(denial);
    expect(follow(aLease(), once, { unrecordedHolders: 1 })).toEqual(denial);
  });

  test("is not told of a free klease that it is held", () => {
    expect(follow(aLease(), once)).toEqual([]);
  });

  test("is not dropped without an answer because its waitUntil has passed", () => {
    expect(follow(held(), once, { nowMs: NOW_MS + 999_000 })).toMatchObject([{ do: "deny" }]);
  });

  test("is left alone while it is being deleted", () => {
    expect(follow(held(), { ...once, terminating: true })).toEqual([]);
  });
});

describe("a request whose hold is over", () => {
  const request = aRequest({ name: "past", status: GRANTED });
  const past = (reason: EndReason, token = TOKEN) => ({
    ...{ holder: "ci", acquiredMs: NOW_MS - 9_000, endedMs: NOW_MS },
    ...{ reason, token },
  });

  test.each<EndReason>(["Expired", "Forced", "NotConfirmed"])(
    "shows the reason from the history: %s",
    (reason) => {
      const history = [past("Released", TOKEN + 1), past(reason)];
      const lease = aLease({ lastToken: TOKEN + 1, history });
      const status = { ...GRANTED, phase: "Expired", reason, expiresMs: NOW_MS + KEPT_MS };
      expect(follow(lease, request)).toEqual([{ do: "mark", request, status }]);
    },
  );

  test("shows Expired if the history has forgotten the reason", () => {
    const lease = aLease({ lastToken: TOKEN + 20, history: [past("Forced", TOKEN + 20)] });
    expect(follow(lease, request)).toMatchObject([{ status: { phase: "Expired", reason: "Expired" } }]);
  });

  test("counts until it has lapsed if a deleted klease recorded it", () => {
    expect(follow(aLease(), request)).toEqual([]);
    expect(follow(aLease(), request, { hasLapsed: () => true })).toMatchObject([
      { do: "mark", status: { phase: "Expired", reason: "Expired" } },
    ]);
  });
});

describe("a request that is no longer needed is deleted", () => {
  const at = (phase: RequestPhase, expiresMs?: number) =>
    aRequest({ name: "r", spec: WAITS, status: { phase, ...(expiresMs !== undefined && { expiresMs }) } });
  const isDeleted = (request: LeaseRequest, nowMs: number) =>
    follow(aLease({ lastToken: TOKEN }), request, { nowMs }).some((step) => step.do === "delete");

  test.each<[string, LeaseRequest, number]>([
    ["denied, after its minute", at("Denied", NOW_MS + KEPT_MS), NOW_MS + KEPT_MS],
    ["expired, after its minute", at("Expired", NOW_MS + KEPT_MS), NOW_MS + KEPT_MS],
    ["waiting, after its waitUntil", at("Pending"), WAITS.waitUntilMs],
  ])("%s, and not before", (_, request, atMs) => {
    expect(deletableAtMs(request)).toBe(atMs);
    expect([isDeleted(request, atMs), isDeleted(request, atMs + 1)]).toEqual([false, true]);
  });

  test("at once if its status has no expiry", () => {
    expect(isDeleted(at("Denied"), NOW_MS)).toBe(true);
  });

  test.each<[string, LeaseRequest, number]>([
    [
      "a minute after it was made, if it is a single try, since it is unanswered without a klease",
      aRequest({ spec: ONCE }),
      ONCE.requestedAtMs + KEPT_MS,
    ],
    ["never, if it waits without end", aRequest(), Number.POSITIVE_INFINITY],
    ["never, if it is granted", at("Granted"), Number.POSITIVE_INFINITY],
    [
      "never, if it is a pod's",
      { ...at("Denied", NOW_MS), spec: { ...aRequest().spec, ref: aHold().ref } },
      Number.POSITIVE_INFINITY,
    ],
  ])("%s", (_, request, atMs) => {
    expect(deletableAtMs(request)).toBe(atMs);
  });
});
