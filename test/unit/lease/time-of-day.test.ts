/** What machines with different clocks compare: all go by the API server's time. */
import { expect, test } from "vitest";
import { createServerClock } from "../../../src/kube/server-clock.ts";
import { requestOf } from "../../../src/lease/claimant-request.ts";
import { parseLeaseRequest } from "../../../src/lease/codec.ts";
import { decide } from "../../../src/lease/decide.ts";
import { deletableAtMs, followUps, isTimedOut } from "../../../src/lease/follow-ups.ts";
import { grantHold, nextToken, regrantHold } from "../../../src/lease/grant.ts";
import { endHold } from "../../../src/lease/hold.ts";
import { lateRenewalMs, mayJoin, renewHold } from "../../../src/lease/hold-renewal.ts";
import { waitingInOrder } from "../../../src/lease/order.ts";
import { readSettings } from "../../../src/lease/settings.ts";
import type { Lease } from "../../../src/lease/types.ts";
import { stampRequest } from "../../../src/server/admission/lease-request.ts";
import { ask, machineClock } from "../kube/machine.ts";
import { aLease, aRequest, NOW_MS, situationOf } from "./samples.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const SECOND_MS = 1_000;
const TTL_MS = MINUTE_MS;

/** Two replicas (2 h ahead and 2 h behind), a client with yet another clock, and an API server whose own clock is wrong. */
function aCluster() {
  const time = { ms: NOW_MS };
  const machines = [2 * HOUR_MS, -2 * HOUR_MS, 11 * MINUTE_MS].map((errorMs) => {
    const machine = machineClock(time, { errorMs, upSinceMs: errorMs });
    return { machine, clock: createServerClock(machine) };
  });
  const pass = (ms: number) => {
    for (const endMs = time.ms + ms; time.ms < endMs; time.ms += 437)
      for (const { machine, clock } of machines) clock.observe(ask(time, machine, { errorMs: HOUR_MS }));
  };
  pass(MINUTE_MS);
  const [ahead, behind, client] = machines.map(({ clock }) => clock.nowMs);
  if (!ahead || !behind || !client) throw new Error("there are three machines");
  return { pass, ahead, behind, client };
}

/** A Lease that an arbiter has granted to a pod whose gate has confirmed. */
function granted(nowMs: () => number): Lease {
  const lease = aLease();
  const ref = { kind: "Pod", name: "p", uid: "p" } as const;
  const request = aRequest({ spec: { ref } });
  const status = grantHold(lease.status, { request, ref, token: 41, ttlMs: TTL_MS }, nowMs());
  const held = { ...lease, status };
  const confirmed = renewHold(held, { ...RENEWAL, gateRun: "b/1" }, nowMs());
  if (!confirmed.ok) throw new Error(confirmed.reason);
  return { ...held, status: confirmed.status };
}

const RENEWAL = { uid: "p", token: 41, countedTtlMs: TTL_MS, wantedTtlMs: TTL_MS, renew: true };

test.each([
  ["ahead", "behind"],
  ["behind", "ahead"],
] as const)(
  "max-hold is equally long where the arbiter's clock is %s and the renewing replica's is %s",
  (arbiter, other) => {
    const cluster = aCluster();
    const lease = granted(cluster[arbiter]);
    const limits = { renew: true, maxHoldMs: HOUR_MS };
    const renewed = (nowMs: () => number) => renewHold(lease, { ...RENEWAL, ...limits }, nowMs());
    const mayAPodJoin = (nowMs: () => number) =>
      lease.status.hold && mayJoin(lease, lease.status.hold, limits, nowMs());
    cluster.pass(HOUR_MS - 2 * SECOND_MS);
    for (const nowMs of [cluster[arbiter], cluster[other]])
      expect([renewed(nowMs).ok, mayAPodJoin(nowMs)]).toEqual([true, true]);
    cluster.pass(4 * SECOND_MS);
    for (const nowMs of [cluster[arbiter], cluster[other]])
      expect([renewed(nowMs), mayAPodJoin(nowMs)]).toEqual([{ ok: false, reason: "MaxHold" }, false]);
  },
);

test("a renewal that reaches another replica is not reported as late", () => {
  const { ahead, behind, pass } = aCluster();
  const lease = granted(behind);
  pass(20 * SECOND_MS);
  const renewed = renewHold(lease, RENEWAL, ahead());
  if (!renewed.ok || !lease.status.hold) throw new Error("it was refused");
  expect(lateRenewalMs(lease.status.hold, renewed.hold)).toBe(0);
});

/** The request as the API server stores it once `webhook` has admitted what a client sent. */
function admitted(name: string, webhook: () => number, spec: Record<string, string> = {}) {
  const sent = { metadata: { name, uid: name }, spec: { lease: "nightly", holder: name, ...spec } };
  const caller = { operation: "CREATE", username: "alice", oldObject: undefined } as const;
  return parseLeaseRequest(stampRequest(sent, caller, webhook()));
}

test.each(["ahead", "behind"] as const)(
  "a request waits as long as it asks, even for an arbiter whose clock is %s",
  (arbiter) => {
    const cluster = aCluster();
    const now = cluster.client();
    const spec = {
      requestedAt: new Date(now).toISOString(),
      waitUntil: new Date(now + 10 * MINUTE_MS).toISOString(),
    };
    const read = readSettings({
      labels: { "konductor.io/lease": "nightly" },
      annotations: { "konductor.io/wait-timeout": "10m" },
    });
    if (!read.ok) throw new Error("the annotations cannot be read");
    const pod = { namespace: "ns", name: "p", uid: "p" };
    const pods = aRequest(
      requestOf("Pod", pod, read.settings, { nowMs: cluster.behind(), requestedBy: "konductor" }),
    );
    const waiting = [admitted("of-client", cluster.behind, spec), admitted("of-other", cluster.ahead, spec)];
    const steps = (lease: Lease, requests = waiting) => ({
      decided: decide(situationOf(lease, { requests, nowMs: cluster[arbiter]() })),
      followed: followUps({
        ...situationOf(lease, { requests, nowMs: cluster[arbiter]() }),
        hasLapsed: () => false,
      }),
    });
    cluster.pass(10 * MINUTE_MS - 3 * SECOND_MS);
    for (const request of waiting)
      expect(steps(aLease(), [request])).toMatchObject({
        decided: { do: "write", granted: request },
        followed: [],
      });
    expect(isTimedOut(pods, cluster[arbiter]())).toBe(false);
    cluster.pass(6 * SECOND_MS);
    expect(steps(aLease({ lastToken: 41 }))).toMatchObject({
      decided: { do: "wait" },
      followed: waiting.map((request) => ({ do: "delete", request })),
    });
    expect(isTimedOut(pods, cluster[arbiter]())).toBe(true);
  },
);

test("a denial is kept for a minute, also by the next arbiter", () => {
  const { ahead, behind, pass } = aCluster();
  const tried = admitted("tried", ahead, { waitUntil: "2026-01-01T00:00:00Z" });
  const situation = situationOf(granted(ahead), { requests: [tried], nowMs: ahead() });
  const [denial] = followUps({ ...situation, hasLapsed: () => false });
  if (denial?.do !== "deny") throw new Error("it was not denied");
  const denied = { ...tried, status: denial.status };
  pass(57 * SECOND_MS);
  expect(deletableAtMs(denied)).toBeGreaterThan(behind());
  pass(6 * SECOND_MS);
  expect(deletableAtMs(denied)).toBeLessThan(behind());
});

test.each([0, 400])(
  "the times of one klease stay in order, although replicas disagree by %i ms",
  (aheadMs) => {
    const nowMs = NOW_MS - aheadMs;
    const lease = granted(() => NOW_MS);
    const ended = endHold(lease, "Released", nowMs);
    const ref = { kind: "Pod", name: "q", uid: "q" } as const;
    const grant = { request: aRequest({ spec: { ref } }), ref, token: 42, ttlMs: TTL_MS };
    expect(ended.history[0]).toMatchObject({ acquiredMs: NOW_MS, endedMs: NOW_MS });
    expect(grantHold(ended, grant, nowMs).hold).toMatchObject({
      acquiredMs: NOW_MS,
      expiresMs: NOW_MS + TTL_MS,
    });
    expect(regrantHold(lease, [], nowMs).hold).toMatchObject({ acquiredMs: NOW_MS });
  },
);

test("an end that lies far before the grant is written as the clock shows it", () => {
  const nowMs = NOW_MS - 2 * HOUR_MS;
  expect(
    endHold(
      granted(() => NOW_MS),
      "Released",
      nowMs,
    ).history[0],
  ).toMatchObject({ endedMs: nowMs });
});

test("requests are served in order of arrival, whichever replicas admit them", () => {
  const { ahead, behind, pass } = aCluster();
  const requests = [];
  for (const [index, nowMs] of [ahead, behind, ahead, behind].entries()) {
    requests.push(admitted(`r-${9 - index}`, nowMs));
    pass(SECOND_MS);
  }
  expect(waitingInOrder(aLease(), requests.toReversed())).toEqual(requests);
});

test("a klease that is recreated within one second begins with a higher token, also by another arbiter", () => {
  const { ahead, behind, pass } = aCluster();
  const lease = { ...aLease(), createdMs: Math.floor(behind() / 1_000) * 1_000 };
  const first = nextToken(lease, [], ahead());
  pass(1);
  expect(nextToken(lease, [], behind())).toBeGreaterThan(first);
});
