import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  DEFAULT_TTL_MS,
  formatLeaseStatus,
  parseLease,
  parseLeaseRequest,
} from "../../../src/lease/codec.ts";
import type { EndReason, Hold, HolderPod, HolderRef, LeaseStatus } from "../../../src/lease/types.ts";
import { microTime } from "../../../src/shared/times.ts";
import { aLease, held, NOW_MS } from "./samples.ts";

const timeMs = fc.integer({ min: 0, max: Date.parse("2200-01-01T00:00:00Z") });
const optional = <K extends string, T>(key: K, value: fc.Arbitrary<T>) =>
  fc.option(
    value.map((known) => ({ [key]: known })),
    { nil: {} },
  );

const holderRef: fc.Arbitrary<HolderRef> = fc
  .tuple(
    fc.record({
      kind: fc.constantFrom("Pod" as const, "Job" as const, "LeaseRequest" as const),
      name: fc.string({ minLength: 1 }),
      uid: fc.uuid(),
    }),
    optional("node", fc.string()),
    optional("graceSeconds", fc.nat()),
    optional("selfFencing", fc.boolean()),
    optional("stoppingSinceMs", timeMs),
  )
  .map(([ref, ...rest]) => Object.assign(ref, ...rest));

const holderPod: fc.Arbitrary<HolderPod> = fc
  .tuple(holderRef, fc.boolean(), optional("gateRun", fc.string()), optional("keeperSince", fc.string()))
  .map(([ref, releasing, run, keeper]) => ({ ...ref, kind: "Pod", releasing, ...run, ...keeper }));

const REASONS: EndReason[] = [
  "Released",
  "Terminated",
  "Expired",
  "NotConfirmed",
  "Fenced",
  "Restarted",
  "Forced",
  "Suspended",
  "NotStarted",
];
const pastHold = fc.record({
  holder: fc.string(),
  acquiredMs: timeMs,
  endedMs: timeMs,
  reason: fc.constantFrom(...REASONS),
  token: fc.maxSafeNat(),
});

const hold = fc
  .tuple(
    fc.record({
      holder: fc.string(),
      ref: holderRef,
      acquiredMs: timeMs,
      expiresMs: timeMs,
      ttlMs: fc.nat(),
      renewals: fc.nat(),
      confirmed: fc.boolean(),
      expired: fc.boolean(),
      releasing: fc.boolean(),
      unreachable: fc.boolean(),
    }),
    optional("revoked", fc.constantFrom("NotStarted" as const, "CrashLooping" as const, "Forced" as const)),
    optional("gateRun", fc.string()),
    optional("keeperSince", fc.string()),
  )
  .chain(([known, ...rest]) => {
    const whole: Omit<Hold, "token"> = Object.assign(known, ...rest);
    return whole.ref.kind === "Job"
      ? fc.array(holderPod, { maxLength: 3 }).map((pods) => ({ ...whole, pods }))
      : fc.constant(whole);
  });

/** A hold's token is the last token granted: the status stores both in one field. */
const status: fc.Arbitrary<LeaseStatus> = fc
  .record({
    token: fc.option(fc.maxSafeNat(), { nil: undefined }),
    hold: fc.option(hold, { nil: undefined }),
    lastRequest: fc.option(fc.uuid(), { nil: undefined }),
    waiters: fc.nat(),
    history: fc.array(pastHold, { maxLength: 10 }),
    holdSeconds: fc.array(fc.nat(), { maxLength: 64 }),
  })
  .map(({ token, hold, lastRequest, ...known }) => ({
    ...known,
    conditions: [],
    observedGeneration: 1,
    ...(token !== undefined && { lastToken: token }),
    ...(token !== undefined && hold && { hold: { ...hold, token } }),
    ...(lastRequest !== undefined && { lastRequest }),
  }));

/** The status as it comes back from the API server. */
const reread = (written: LeaseStatus, nowMs = NOW_MS, before = aLease()) =>
  parseLease(JSON.parse(JSON.stringify({ status: formatLeaseStatus(before, written, nowMs) }))).status;

test("a status is read as it was written", () => {
  fc.assert(
    fc.property(status, (written) => {
      const { conditions: _, ...rest } = reread(written);
      const { conditions: __, ...expected } = written;
      expect(rest).toEqual(expected);
    }),
  );
});

test("reading and writing again changes nothing, conditions included", () => {
  fc.assert(
    fc.property(status, (written) => {
      const once = formatLeaseStatus(aLease(), reread(written), NOW_MS);
      const twice = formatLeaseStatus(aLease(), reread(reread(written), NOW_MS), NOW_MS + 60_000);
      expect(twice).toEqual(once);
    }),
  );
});

describe("conditions", () => {
  const typesOf = ({ conditions }: LeaseStatus) => conditions.map(({ type }) => type);

  test.each([
    [held(), ["Ready"]],
    [held({ releasing: true }), ["Ready", "Releasing"]],
    [held({ revoked: "Forced" }), ["Ready", "Revoked"]],
    [held({ expired: true, unreachable: true }), ["Ready", "HolderUnreachable"]],
    [aLease(), ["Ready"]],
  ])("say what is special about the hold: %#", (lease, types) => {
    expect(typesOf(reread(lease.status))).toEqual(types);
  });

  test("keep the time of their transition while they last, and get a new one when they return", () => {
    const first = reread(held({ releasing: true }).status, NOW_MS);
    const later = reread(first, NOW_MS + 5_000);
    expect(later.conditions).toEqual(first.conditions);
    expect(first.conditions.map(({ lastTransitionMs }) => lastTransitionMs)).toEqual([NOW_MS, NOW_MS]);

    const without = reread(
      { ...later, ...(later.hold && { hold: { ...later.hold, releasing: false } }) },
      NOW_MS + 6_000,
    );
    expect(typesOf(without)).toEqual(["Ready"]);
    const again = reread({ ...without, ...(later.hold && { hold: later.hold }) }, NOW_MS + 9_000);
    expect(again.conditions.map(({ type, lastTransitionMs }) => [type, lastTransitionMs - NOW_MS])).toEqual([
      ["Ready", 0],
      ["Releasing", 9_000],
    ]);
  });

  test("for an unreachable holder name who must act, and where", () => {
    const [, condition] = reread(held({ expired: true, unreachable: true }).status).conditions;
    expect(condition?.message).toMatch(
      /run-1 .*node-1.*node\.kubernetes\.io\/out-of-service.*koncli lease release nightly --force/,
    );
  });
});

describe("reading", () => {
  test("gives a Lease without status its defaults", () => {
    const object = {
      metadata: { name: "n", creationTimestamp: "2026-01-01T00:00:00Z" },
      spec: { ttl: "1h30m" },
    };
    expect(parseLease(object)).toMatchObject({
      createdMs: Date.parse("2026-01-01T00:00:00Z"),
      spec: { ttlMs: 5_400_000, priority: 0, renewable: true },
      status: { waiters: 0, history: [], conditions: [] },
    });
    expect(parseLease({}).spec.ttlMs).toBe(DEFAULT_TTL_MS);
  });

  test.each<[string, Record<string, unknown>]>([
    ["the phase says Available", { phase: "Available" }],
    ["there is no holder reference", { holderRef: undefined }],
    ["the holder is of an unknown kind", { holderRef: { kind: "Node", name: "a", uid: "b" } }],
    ["the token is no integer", { fencingToken: "41" }],
  ])("finds no hold where %s", (_, change) => {
    const status = { ...formatLeaseStatus(aLease(), held().status, NOW_MS), ...change };
    expect(parseLease({ status }).status.hold).toBeUndefined();
  });

  test("accepts request times with microseconds, and reads an unknown phase as Pending", () => {
    const request = parseLeaseRequest({
      metadata: { name: "r", creationTimestamp: "2026-01-01T00:00:00Z" },
      spec: {
        lease: "nightly",
        holder: "ci",
        requestedAt: microTime(NOW_MS),
        priority: 0,
        ttl: "15s",
        waitUntil: microTime(NOW_MS + 1),
        gateRun: "0a1b/1000",
      },
      status: { phase: "Tomorrow", fencingToken: 4 },
    });
    expect(request.spec).toEqual({
      lease: "nightly",
      holder: "ci",
      requestedAtMs: NOW_MS,
      priority: 0,
      ttlMs: 15_000,
      waitUntilMs: NOW_MS + 1,
      gateRun: "0a1b/1000",
    });
    expect(request.status).toEqual({ phase: "Pending", token: 4 });
    expect(microTime(NOW_MS)).toBe("2026-01-01T00:10:00.000000Z");
  });

  test("dates a request without a time from its creation, and ignores an incomplete reference", () => {
    const request = parseLeaseRequest({
      metadata: { creationTimestamp: "2026-01-01T00:00:00Z" },
      spec: { holderRef: { kind: "Pod", name: "run-1" } },
    });
    expect(request.spec).toMatchObject({ requestedAtMs: Date.parse("2026-01-01T00:00:00Z") });
    expect(request.spec.ref).toBeUndefined();
  });
});

test("a request cannot pass itself off as another request's hold", () => {
  const holderRef = { kind: "LeaseRequest", name: "somebody", uid: "uid-1" };
  expect(parseLeaseRequest({ spec: { lease: "a", holder: "b", holderRef } }).spec.ref).toBeUndefined();
});
