/** Valid Leases, requests and holds for tests, which change what they are about. */
import type { HoldTimers, Situation } from "../../../src/lease/decision.ts";
import type { Hold, Lease, LeaseRequest, LeaseStatus } from "../../../src/lease/types.ts";

export const NOW_MS = Date.parse("2026-01-01T00:10:00.000Z");

export function aLease(status: Partial<LeaseStatus> = {}, spec: Partial<Lease["spec"]> = {}): Lease {
  return {
    namespace: "ns",
    name: "nightly",
    uid: "lease-uid",
    resourceVersion: "7",
    generation: 1,
    createdMs: Date.parse("2026-01-01T00:00:00Z"),
    terminating: false,
    spec: { ttlMs: 60_000, priority: 0, renewable: true, ...spec },
    status: { waiters: 0, history: [], holdSeconds: [], conditions: [], observedGeneration: 1, ...status },
  };
}

/** A hold that is confirmed, 10 s old and lately renewed. */
export function aHold(change: Partial<Hold> = {}): Hold {
  return {
    holder: "run-1",
    ref: { kind: "Pod", name: "run-1", uid: "pod-1", node: "node-1", graceSeconds: 30, selfFencing: true },
    token: 41,
    acquiredMs: NOW_MS - 10_000,
    expiresMs: NOW_MS + 55_000,
    ttlMs: 60_000,
    renewals: 3,
    confirmed: true,
    expired: false,
    releasing: false,
    unreachable: false,
    ...change,
  };
}

export function held(change: Partial<Hold> = {}, spec: Partial<Lease["spec"]> = {}): Lease {
  const hold = aHold(change);
  return aLease({ hold, lastToken: hold.token, lastRequest: "request-1" }, spec);
}

type RequestChange = Partial<Omit<LeaseRequest, "spec">> & { spec?: Partial<LeaseRequest["spec"]> };

export function aRequest({ spec, ...change }: RequestChange = {}): LeaseRequest {
  return {
    namespace: "ns",
    name: "nightly-0123456789",
    uid: `uid-of-${change.name ?? "request"}`,
    resourceVersion: "3",
    createdMs: NOW_MS,
    terminating: false,
    status: { phase: "Pending" },
    ...change,
    spec: { lease: "nightly", holder: "ci", requestedAtMs: NOW_MS, ...spec },
  };
}

/** Timers of which none has advanced. */
export const JUST_NOW: HoldTimers = {
  heldForMs: 0,
  silentForMs: 0,
  answerableForMs: 0,
  expiredForMs: 0,
  endingForMs: 0,
  idleForMs: 0,
};

/** `lease` with no time passed and no claimant known. */
export function situationOf(lease: Lease, change: Partial<Situation> = {}): Situation {
  return {
    lease,
    requests: [],
    evidenceOf: () => ({ is: "unknown" }),
    lookedAgoMs: () => 0,
    isStuck: () => false,
    isRequestGone: () => false,
    stoppingForMs: () => undefined,
    isNodeReady: () => true,
    unrecordedHolders: 0,
    timers: JUST_NOW,
    wishes: { startTimeoutMs: 600_000, continueOnLoss: false },
    nowMs: NOW_MS,
    ...change,
  };
}
