/** The Events that report changes of a klease's status. */
import { describe, expect, test } from "vitest";
import { createEventRecorder, type EventReport } from "../../../src/kube/events.ts";
import { grantHold } from "../../../src/lease/grant.ts";
import { changeHold, endHold } from "../../../src/lease/hold.ts";
import type { EndReason, Hold, Lease, PastHold } from "../../../src/lease/types.ts";
import { createLeaseReporter, reportsOf } from "../../../src/objects/lease-reporter.ts";
import { record, textMap } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { isoTime } from "../../../src/shared/times.ts";
import { NO_COUNTS } from "../controller/no-counts.ts";
import { recordedClient } from "../controller/recorded-client.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aHold, aLease, aRequest, held, NOW_MS } from "../lease/samples.ts";

const RENEWED_MS = NOW_MS - 5_000;
const { token } = aHold();
const forced = { token, by: "alice", now: false };

const changed = (lease: Lease, change: Partial<Hold>): Lease => ({
  ...lease,
  status: changeHold(lease.status, change),
});
const ended = (lease: Lease, reason: EndReason): Lease => ({
  ...lease,
  status: endHold(lease, reason, NOW_MS),
});

function grantedNext(lease: Lease): Lease {
  const ref = { kind: "LeaseRequest", name: "next", uid: "uid-of-next" } as const;
  const grant = { request: aRequest({ spec: { holder: "next" } }), ref, token: token + 1, ttlMs: 60_000 };
  return { ...lease, status: grantHold(lease.status, grant, NOW_MS) };
}

/** Reports of a renewal that came `silentMs` after the previous one. */
function renewedAfter(silentMs: number, change: Partial<Hold> = {}) {
  const before = held({ ttlMs: 60_000, expiresMs: RENEWED_MS + 60_000 });
  const ttlMs = change.ttlMs ?? 60_000;
  return reportsOf(
    before,
    changed(before, { renewals: 4, expiresMs: RENEWED_MS + silentMs + ttlMs, ...change }),
  );
}

test("a grant names holder and token", () => {
  expect(reportsOf(aLease(), grantedNext(aLease()))).toEqual([
    { type: "Normal", reason: "Granted", message: `granted to next, token ${token + 1}` },
  ]);
});

test("a pause and its end are told once, by whoever writes the condition", () => {
  const condition = (status: "True" | "False") => ({
    ...{ type: "Paused", status, reason: "x", message: "paused by alice", lastTransitionMs: 0 },
  });
  const [no, yes] = [condition("False"), condition("True")].map((each) => aLease({ conditions: [each] }));
  const told = (before: Lease | undefined, after: Lease | undefined) =>
    before && after && reportsOf(before, after).map(({ reason, message }) => `${reason}: ${message}`);
  expect(told(aLease(), yes)).toEqual(["Paused: paused by alice"]);
  expect(told(no, yes)).toEqual(["Paused: paused by alice"]);
  expect(told(yes, no)).toEqual(["Resumed: it is granted again to whoever waits"]);
  for (const [before, after] of [
    [yes, yes],
    [no, no],
    [aLease(), no],
  ])
    expect(told(before, after)).toEqual([]);
});

describe("the end of a hold", () => {
  test.each<[EndReason, string]>([
    ["Released", "Normal"],
    ["Terminated", "Normal"],
    ["Expired", "Warning"],
    ["NotConfirmed", "Warning"],
    ["Fenced", "Warning"],
  ])("is reported with its reason: %s is %s", (reason, type) => {
    const message = `the hold of run-1 (token ${token}) ended: ${reason}`;
    expect(reportsOf(held(), ended(held(), reason))).toEqual([{ type, reason, message }]);
  });

  test("names the admin who took the klease, whatever proved it", () => {
    const before = { ...held(), forced };
    expect(reportsOf(before, ended(before, "Terminated"))).toEqual([
      {
        type: "Warning",
        reason: "Forced",
        message: `the hold of run-1 (token ${token}) ended: Forced by alice`,
      },
    ]);
  });

  test("is reported before the next grant that was written with it", () => {
    const after = grantedNext(ended(held(), "Released"));
    expect(reportsOf(held(), after).map(({ reason }) => reason)).toEqual(["Released", "Granted"]);
  });
});

describe("a renewal", () => {
  test.each([0, 20_000, 40_000])("in time is not reported: after %i ms of 60 s", (silentMs) => {
    expect(renewedAfter(silentMs)).toEqual([]);
  });

  test("that came after more than two thirds of the ttl is late", () => {
    expect(renewedAfter(45_000)).toEqual([
      {
        type: "Warning",
        reason: "RenewedLate",
        message: `run-1 (token ${token}) renewed after 45s of its ttl 1m`,
      },
    ]);
  });

  test("is measured against the previous ttl, not the one that it sets", () => {
    expect(renewedAfter(30_000, { ttlMs: 15_000 })).toEqual([]);
    expect(renewedAfter(45_000, { ttlMs: 600_000 })).toHaveLength(1);
  });

  test("is not reported for a confirmation", () => {
    const before = held({ renewals: 0, confirmed: false });
    const confirmed = changed(before, { confirmed: true, expiresMs: NOW_MS + 120_000 });
    expect(reportsOf(before, confirmed)).toEqual([]);
  });
});

describe("a hold that goes wrong is reported once", () => {
  test.each<[string, Partial<Hold>, string, Lease]>([
    ["Expired", { expired: true }, "run-1 has not renewed for its whole ttl", held()],
    [
      "Revoked",
      { revoked: "Forced" },
      "alice took the klease from run-1; its renewals are refused, and the next waiter is granted once it has ended",
      { ...held(), forced },
    ],
    [
      "Revoked",
      { revoked: "NotStarted" },
      "no main container of run-1 started in time; its next renewal is refused",
      held(),
    ],
    [
      "Revoked",
      { revoked: "CrashLooping" },
      "a main container of run-1 crash-loops after more than max-restarts restarts while others wait; its next renewal is refused",
      held(),
    ],
    [
      "HolderUnreachable",
      { unreachable: true },
      "nothing proves that the containers of run-1 have stopped; see the klease's conditions",
      held(),
    ],
  ])("%s, %o", (reason, change, message, before) => {
    const after = changed(before, change);
    expect(reportsOf(before, after)).toEqual([{ type: "Warning", reason, message }]);
    expect(reportsOf(after, changed(after, { releasing: true }))).toEqual([]);
  });
});

test("every Event regards the klease that was written", () => {
  const told: unknown[] = [];
  const events = { record: (event: unknown) => void told.push(event) };
  const counted: string[] = [];
  const recorder = { ...NO_COUNTS, granted: () => void counted.push("granted") };
  const reporter = createLeaseReporter({
    events,
    recorder,
    logger: createLogger({ level: "silent" }),
  });
  reporter.report(aLease(), grantedNext(aLease()));
  expect(counted).toEqual(["granted"]);
  const pod = { name: "run-1", uid: "pod-1" };
  reporter.holderDeleted(aLease(), pod);
  reporter.holderDeleted(aLease({ hold: aHold({ revoked: "Forced" }) }), pod);
  const { namespace, name, uid } = aLease();
  const object = { apiVersion: "konductor.io/v1", kind: "Lease", namespace, name, uid };
  expect(told).toMatchObject([
    { object, reason: "Granted", type: "Normal" },
    { object, reason: "HolderDeleted", type: "Warning", message: expect.stringContaining("cannot stop") },
    { object, reason: "HolderDeleted", message: "deleted pod run-1: this klease was released by force" },
  ]);
});

test("the event of an end carries what a picture needs, and counts apart from all others of the klease", () => {
  const told: EventReport[] = [];
  const events = { record: (event: EventReport) => void told.push(event) };
  const reporter = createLeaseReporter({
    events,
    recorder: NO_COUNTS,
    logger: createLogger({ level: "silent" }),
  });
  const before = { ...held(), forced };
  reporter.report(before, grantedNext(ended(before, "Terminated")));
  const [end, grant] = told;
  expect(end).toMatchObject({
    reason: "Forced",
    annotations: {
      "konductor.io/holder": "run-1",
      "konductor.io/token": String(token),
      "konductor.io/acquired": isoTime(aHold().acquiredMs),
      "konductor.io/ended": isoTime(NOW_MS),
      "konductor.io/by": "alice",
    },
    budget: { refillEveryMs: 60_000 },
    isUrgent: true,
  });
  expect(grant?.annotations).toEqual({
    "konductor.io/holder": "next",
    "konductor.io/token": String(token + 1),
  });
  expect([grant?.budget, grant?.isUrgent]).toEqual([undefined, false]);
});

test("what somebody may have to act on is written, however often the klease was granted and renewed late before it", async () => {
  const clock = turnedClock(0);
  const { client, calls } = recordedClient(() => ({}));
  const logger = createLogger({ level: "silent" });
  const events = createEventRecorder({
    ...{ client, clock, logger, component: "konductor", instance: "replica-1" },
    perSecond: () => Number.POSITIVE_INFINITY,
  });
  const reporter = createLeaseReporter({ events, recorder: NO_COUNTS, logger });
  const reasons = () => calls.map(({ sent }) => record(sent)["reason"]);
  for (let number = 1; number <= 30; number++) {
    const before = held({ ttlMs: 60_000, token: token + number, expiresMs: RENEWED_MS + 60_000 });
    reporter.report(aLease(), before);
    reporter.report(before, changed(before, { renewals: 4, expiresMs: RENEWED_MS + 105_000 }));
  }
  await clock.turn(0);
  expect(reasons()).toHaveLength(25);
  calls.splice(0);
  reporter.report(held(), changed(held(), { expired: true, unreachable: true }));
  reporter.report(held(), changed(held(), { revoked: "NotStarted" }));
  reporter.holderDeleted(held(), { name: "run-1", uid: "pod-1" });
  reporter.holderLingers(held(), { name: "run-1", uid: "pod-1" }, ["sidecar"]);
  await clock.turn(0);
  expect(reasons()).toEqual(["Expired", "HolderUnreachable", "Revoked", "HolderDeleted", "HolderLingers"]);
  const holders = calls.map(({ sent }) => textMap(record(record(sent)["metadata"])["annotations"]));
  expect(holders.map((annotations) => annotations["konductor.io/holder"])).toEqual(Array(5).fill("run-1"));
});

describe("what a change of a hold counts as", () => {
  function countedOf(before: Lease, after: Lease): unknown[] {
    const counted: unknown[] = [];
    const recorder = {
      granted: () => counted.push("granted"),
      ended: ({ reason }: PastHold) => counted.push(reason),
      renewed: (renewal: object) => counted.push(renewal),
    };
    const events = { record: () => undefined };
    createLeaseReporter({ events, recorder, logger: createLogger({ level: "silent" }) }).report(
      before,
      after,
    );
    return counted;
  }
  const renewedWith = (change: Partial<Hold>) => countedOf(held(), changed(held(), change));

  test("an end and the next grant in one write", () => {
    expect(countedOf(held(), grantedNext(ended(held(), "Fenced")))).toEqual(["Fenced", "granted"]);
  });

  test("a renewal, with what was left of the ttl that it found", () => {
    const renewal = { renewals: 4, ttlMs: 90_000, expiresMs: NOW_MS + 40_000 + 90_000 };
    expect(renewedWith(renewal)).toEqual([{ leftMs: 15_000, isLate: true }]);
    expect(renewedWith({ ...renewal, expiresMs: NOW_MS + 90_000 })).toEqual([
      { leftMs: 55_000, isLate: false },
    ]);
  });

  test("no renewal: a confirmation, an expiry, a word of the keeper", () => {
    for (const change of [{ expiresMs: NOW_MS + 60_000 }, { expired: true }, { releasing: true }])
      expect(renewedWith(change)).toEqual([]);
  });
});
