/** What the owner of a Lease rules: when nobody is granted it, although somebody waits and nobody holds it. */
import { describe, expect, test } from "vitest";
import { conditionsOf } from "../../../src/lease/conditions.ts";
import { decide } from "../../../src/lease/decide.ts";
import type { Situation } from "../../../src/lease/decision.ts";
import { followUps } from "../../../src/lease/follow-ups.ts";
import { regrantHold } from "../../../src/lease/grant.ts";
import { endHold } from "../../../src/lease/hold.ts";
import { QUEUED_AGAIN } from "../../../src/lease/order.ts";
import { heldBack } from "../../../src/lease/policies/held-back.ts";
import { describeQueueFull } from "../../../src/lease/policies/max-waiting.ts";
import type { Condition, Lease, LeaseRequest } from "../../../src/lease/types.ts";
import { createPod, statusOf } from "./pod-fixture.ts";
import { aLease, aRequest, held, NOW_MS, situationOf } from "./samples.ts";

const PAUSED = { paused: true } as const;
const PAUSE = { by: "alice", sinceMs: NOW_MS - 60_000 };
const why = (lease: Lease) => heldBack(lease, NOW_MS)?.why;
const client = { ref: { kind: "LeaseRequest", name: "ci", uid: "uid-of-ci" } } as const;
const decideFor = (lease: Lease, ...requests: ReturnType<typeof aRequest>[]) =>
  decide(situationOf(lease, { requests }));

test("a Lease of whose owner nothing is known is granted", () => {
  expect(heldBack(aLease(), NOW_MS)).toBeUndefined();
  expect(decideFor(aLease(), aRequest())).toMatchObject({ do: "write", why: "Granted" });
});

describe("a paused Lease", () => {
  test("is granted to nobody, and no time ends that", () => {
    expect(decideFor(aLease({}, PAUSED), aRequest())).toEqual({ do: "wait" });
    expect(heldBack(aLease({}, PAUSED), NOW_MS)?.untilMs).toBeUndefined();
  });

  test("is not handed over either: the write that ends a hold grants nobody", () => {
    const over = { ...held(client), forced: { token: 41, by: "alice", now: true } };
    const waiter = aRequest({ name: "waiter" });
    const ended = { do: "write", why: "Released" };
    expect(decideFor(over, waiter)).toMatchObject({ do: "write", why: "Granted" });
    const decision = decideFor({ ...over, spec: { ...over.spec, ...PAUSED } }, waiter);
    expect(decision).toMatchObject({ ...ended, why: expect.any(String) });
    expect(decision.do === "write" && [decision.status.hold, decision.granted]).toEqual([
      undefined,
      undefined,
    ]);
  });

  test("goes on to be held by whoever holds it", () => {
    const own = aRequest({ name: "ci", uid: "uid-of-ci", status: { phase: "Granted", token: 41 } });
    expect(decideFor(held(client, PAUSED), own)).toEqual(decideFor(held(client), own));
  });

  test("is held to whoever does not wait", () => {
    const requests = [aRequest({ spec: { waitUntilMs: NOW_MS } }), aRequest({ name: "waits" })];
    const input = { ...situationOf(aLease({}, PAUSED), { requests }), hasLapsed: () => false };
    expect(followUps(input)).toMatchObject([
      { do: "deny", request: requests[0], status: { reason: "Held" } },
    ]);
  });

  test.each<[string, Lease, string]>([
    ["nothing else", aLease({}, PAUSED), "paused"],
    ["why", aLease({}, { ...PAUSED, pauseReason: 'a "repair"' }), 'paused ("a \\"repair\\"")'],
    [
      "by whom and since when",
      { ...aLease({}, { ...PAUSED, pauseReason: "repair" }), pause: PAUSE },
      'paused by alice since 2026-01-01T00:09:00Z ("repair")',
    ],
    [
      "since when konductor has known it",
      aLease({ conditions: [condition("True", NOW_MS - 1_000)] }, PAUSED),
      "paused since 2026-01-01T00:09:59Z",
    ],
  ])("says as far as it is known: %s", (_, lease, told) => {
    expect(why(lease)).toBe(told);
  });

  test("has condition Paused, and so has one that is not", () => {
    const pausedOf = (lease: Lease) =>
      conditionsOf(lease, lease.status, NOW_MS).find(({ type }) => type === "Paused");
    expect(pausedOf({ ...held({}, PAUSED), pause: PAUSE })).toMatchObject({
      status: "True",
      reason: "Paused",
      message: "paused by alice since 2026-01-01T00:09:00Z; nobody new is granted it until it is resumed",
    });
    for (const lease of [held(), aLease()])
      expect(pausedOf(lease)).toMatchObject({ status: "False", reason: "NotPaused" });
  });
});

describe("a Lease with a minInterval", () => {
  const RULE = { minIntervalMs: 300_000 };
  const ended = (agoMs: number) => aLease({ lastEndedMs: NOW_MS - agoMs }, RULE);

  test.each<[string, Lease, number | undefined]>([
    ["that was never held", aLease({}, RULE), undefined],
    ["whose last hold has just ended", ended(0), 300_000],
    ["whose last hold ended within the interval", ended(299_999), 1],
    ["whose last hold ended that long ago", ended(300_000), undefined],
    ["whose last hold ended after this clock's time", ended(-400), 300_400],
    ["whose last hold ended when another API server's clock was ahead by 2 s", ended(-2_000), 302_000],
    ["whose last hold ended when another clock was ahead by the most", ended(-300_000), 600_000],
    ["whose last hold ended before the clock was set back", ended(-300_001), undefined],
    ["whose last hold ended before the clock was set back by a year", ended(-31_536_000_000), undefined],
  ])("%s rests for so long: %#", (_, lease, forMs) => {
    const decision = decideFor(lease, aRequest());
    if (forMs === undefined) expect(decision).toMatchObject({ do: "write", why: "Granted" });
    else expect(decision).toEqual({ do: "wait", forMs });
    expect(why(lease)).toBe(
      forMs === undefined
        ? undefined
        : `resting until ${new Date(NOW_MS + forMs).toISOString().replace(/\.\d+Z/, "Z")}, for its minInterval of 5m`,
    );
  });

  test("does not rest while it is held, so its holder goes on", () => {
    const own = aRequest({ name: "ci", uid: "uid-of-ci", status: { phase: "Granted", token: 41 } });
    const lease = held(client, RULE);
    const ruled = { ...lease, status: { ...lease.status, lastEndedMs: NOW_MS } };
    expect(heldBack(ruled, NOW_MS)).toBeUndefined();
    expect(decideFor(ruled, own)).toEqual(decideFor(held(client), own));
  });

  test("is not handed over in the write that ends a hold, but after the interval", () => {
    const over = { ...held(client, RULE), forced: { token: 41, by: "alice", now: true } };
    const decision = decideFor(over, aRequest({ name: "waiter" }));
    expect(decision).toMatchObject({ do: "write", status: { lastEndedMs: NOW_MS } });
    expect(decision.do === "write" && [decision.status.hold, decision.granted]).toEqual([
      undefined,
      undefined,
    ]);
  });

  test("counts only from holds that were confirmed", () => {
    const lastEndedMs = NOW_MS - 900_000;
    const over = (confirmed: boolean) => {
      const lease = held({ confirmed });
      return endHold({ ...lease, status: { ...lease.status, lastEndedMs } }, "NotConfirmed", NOW_MS)
        .lastEndedMs;
    };
    expect([over(false), over(true)]).toEqual([lastEndedMs, NOW_MS]);
  });

  test("does not keep a pod that runs again within its hold", () => {
    const { hold, lastEndedMs } = regrantHold(held({}, RULE), [], NOW_MS);
    expect([hold?.token, lastEndedMs]).toEqual([42, NOW_MS]);
  });
});

describe("a Lease with a maxWaiting", () => {
  const ref = { kind: "Pod", name: "p", uid: "pod-p" } as const;
  const waiter = (name: string, agoMs: number, change: Parameters<typeof aRequest>[0] = {}) =>
    aRequest({ ...change, name, spec: { requestedAtMs: NOW_MS - agoMs, ...change.spec } });
  const pod = (change: object) => ({
    ...statusOf(createPod(1, { selfFencing: true, restartPolicy: "Never" })),
    ...change,
  });
  const present =
    (change: object = {}) =>
    () =>
      ({ is: "present", pod: pod(change) }) as const;
  const told = (
    maxWaiting: number | undefined,
    requests: readonly LeaseRequest[],
    evidenceOf: Situation["evidenceOf"] = present(),
  ) => {
    const lease = held({}, maxWaiting === undefined ? {} : { maxWaiting });
    const steps = followUps({ ...situationOf(lease, { requests, evidenceOf }), hasLapsed: () => false });
    return steps.flatMap((step) =>
      "request" in step && "status" in step
        ? [`${step.request.name} ${step.status.reason ?? (step.status.mayWait && "waits")}`]
        : [],
    );
  };
  const mayWait = { status: { phase: "Pending", mayWait: true } } as const;

  test.each<[string, number | undefined, LeaseRequest[], string[]]>([
    ["without a number anybody waits", undefined, [waiter("a", 3), waiter("b", 2)], []],
    [
      "of three that come at once the newest is turned away",
      2,
      [waiter("c", 1), waiter("a", 3), waiter("b", 2)],
      ["c QueueFull", "a waits", "b waits"],
    ],
    [
      "of two of one moment one is, and always the same",
      1,
      [waiter("b", 1), waiter("a", 1)],
      ["b QueueFull", "a waits"],
    ],
    ["with 0 nobody waits", 0, [waiter("a", 3)], ["a QueueFull"]],
    [
      "a priority does not help the newest",
      1,
      [waiter("a", 2), waiter("b", 1, { spec: { priority: 9 } })],
      ["a waits", "b QueueFull"],
    ],
    ["a lower number sends nobody away who was let wait", 0, [waiter("a", 2, mayWait)], []],
    ["whoever was let wait counts", 1, [waiter("a", 2, mayWait), waiter("b", 1)], ["b QueueFull"]],
    [
      "whoever waits again after a grant is not turned away, nor is anybody else",
      1,
      [waiter("a", 2, { status: QUEUED_AGAIN }), waiter("b", 1, mayWait)],
      [],
    ],
    [
      "whoever is passed over keeps its place",
      0,
      [waiter("a", 2, { status: { phase: "Pending", reason: "NotConfirmed" } })],
      [],
    ],
    [
      "one try does not wait, and has its own answer",
      1,
      [waiter("once", 2, { spec: { waitUntilMs: NOW_MS - 2 } }), waiter("b", 1)],
      ["once Held", "b waits"],
    ],
    [
      "the holder does not wait",
      1,
      [waiter("request", 9, { uid: "request-1" }), waiter("b", 1)],
      ["b waits"],
    ],
  ])("%s", (_, maxWaiting, requests, expected) => {
    expect(told(maxWaiting, requests)).toEqual(expected);
  });

  test.each<[string, Situation["evidenceOf"], string[]]>([
    ["has a gate that hears it", present({}), ["p QueueFull"]],
    ["waits unscheduled", present({ gated: true }), []],
    ["is not known yet", () => ({ is: "unknown" }), []],
  ])("turns away a pod that %s: %#", (_, evidenceOf, expected) => {
    expect(told(0, [waiter("p", 1, { spec: { ref } })], evidenceOf)).toEqual(expected);
  });

  test("turns nobody away from a free Lease, who would be granted it as soon as its pod is known", () => {
    const requests = [waiter("p", 1, { spec: { ref } })];
    const free = situationOf(aLease({}, { maxWaiting: 0 }), { requests, evidenceOf: present() });
    expect(followUps({ ...free, hasLapsed: () => false })).toEqual([]);
  });

  test("keeps the answer of a client for as long as any other, and says how many wait", () => {
    const requests = [waiter("a", 1)];
    const input = { ...situationOf(held({}, { maxWaiting: 0 }), { requests }), hasLapsed: () => false };
    expect(followUps(input)).toMatchObject([
      { do: "deny", status: { expiresMs: NOW_MS + 60_000 } },
      { do: "putBack" },
    ]);
    expect(describeQueueFull(aLease({}, { maxWaiting: 3 }))).toBe(
      "as many wait already as its maxWaiting of 3 lets wait",
    );
  });
});

test("of several rules the one that lasts longest is told", () => {
  const lease = aLease({ lastEndedMs: NOW_MS }, { ...PAUSED, minIntervalMs: 300_000 });
  expect(heldBack(lease, NOW_MS)?.rule).toBe("Paused");
  expect(decideFor(lease, aRequest())).toEqual({ do: "wait" });
});

function condition(status: Condition["status"], lastTransitionMs: number): Condition {
  return { type: "Paused", status, reason: "Paused", message: "", lastTransitionMs };
}
