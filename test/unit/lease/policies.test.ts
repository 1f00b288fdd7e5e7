/** What the owner of a Lease rules: when nobody is granted it, although somebody waits and nobody holds it. */
import { describe, expect, test } from "vitest";
import { conditionsOf } from "../../../src/lease/conditions.ts";
import { decide } from "../../../src/lease/decide.ts";
import { followUps } from "../../../src/lease/follow-ups.ts";
import { heldBack } from "../../../src/lease/policies/held-back.ts";
import type { Condition, Lease } from "../../../src/lease/types.ts";
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
    const evidenceOf = () => ({ is: "unknown" }) as const;
    const input = { lease: aLease({}, PAUSED), requests, evidenceOf, hasLapsed: () => false, nowMs: NOW_MS };
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

function condition(status: Condition["status"], lastTransitionMs: number): Condition {
  return { type: "Paused", status, reason: "Paused", message: "", lastTransitionMs };
}
