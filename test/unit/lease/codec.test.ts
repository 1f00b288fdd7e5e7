import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatLeaseStatus,
  formatRequestStatus,
  parseLease,
  parseLeaseRequest,
} from "../../../src/lease/codec.ts";
import { hasAllConditions } from "../../../src/lease/conditions.ts";
import { formatPause } from "../../../src/lease/pause.ts";
import {
  DEFAULT_TTL_MS,
  type EndReason,
  type Hold,
  type HolderPod,
  type HolderRef,
  type LeaseRequest,
  type LeaseStatus,
} from "../../../src/lease/types.ts";
import { microTime } from "../../../src/shared/times.ts";
import { aLease, aRequest, held, NOW_MS } from "./samples.ts";

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
    optional("confirmedMs", timeMs),
    optional("releasingMs", timeMs),
    optional("traceparent", fc.constant("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
  )
  .chain(([known, ...rest]) => {
    const all: Omit<Hold, "token"> = Object.assign(known, ...rest);
    const { releasingMs, ...unannounced } = all;
    const whole = all.releasing ? all : unannounced;
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
    next: fc.option(fc.record({ holder: fc.string(), sinceMs: timeMs }), { nil: undefined }),
    history: fc.array(pastHold, { maxLength: 10 }),
    holdSeconds: fc.array(fc.nat(), { maxLength: 64 }),
  })
  .map(({ token, hold, lastRequest, next, ...known }) => ({
    ...known,
    conditions: [],
    observedGeneration: 1,
    ...(token !== undefined && { lastToken: token }),
    ...(token !== undefined && hold && { hold: { ...hold, token } }),
    ...(lastRequest !== undefined && { lastRequest }),
    ...(next && { next }),
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
  const TYPES = ["Ready", "Held", "Paused", "Releasing", "Revoked", "HolderUnreachable"];
  const typesOf = ({ conditions }: LeaseStatus) =>
    conditions.filter(({ status }) => status === "True").map(({ type }) => type);
  const timeOf = ({ conditions }: LeaseStatus, wanted: string) =>
    conditions.find(({ type }) => type === wanted)?.lastTransitionMs;

  test.each([
    [held(), ["Ready", "Held"]],
    [held({ releasing: true }), ["Ready", "Held", "Releasing"]],
    [held({ revoked: "Forced" }), ["Ready", "Held", "Revoked"]],
    [held({ expired: true }), ["Ready", "Held"]],
    [held({ expired: true, unreachable: true }), ["Ready", "Held", "HolderUnreachable"]],
    [aLease(), ["Ready"]],
    [{ ...held(), terminating: true }, ["Held"]],
    [{ ...aLease(), terminating: true }, []],
  ])("are all there, and those are true that are so: %#", (lease, types) => {
    const read = reread(lease.status, NOW_MS, lease);
    expect(typesOf(read)).toEqual(types);
    expect(read.conditions.map(({ type }) => type)).toEqual(TYPES);
    expect(hasAllConditions({ ...lease, status: read })).toBe(true);
    expect(hasAllConditions({ ...lease, status: { ...read, conditions: read.conditions.slice(1) } })).toBe(
      false,
    );
  });

  test("each say which generation they are about, and why, in one word and a sentence", () => {
    for (const lease of [aLease(), held(), held({ expired: true, unreachable: true, releasing: true })]) {
      const { conditions } = formatLeaseStatus({ ...lease, generation: 3 }, lease.status, NOW_MS);
      expect(conditions).toEqual(
        TYPES.map((type) => ({
          type,
          status: expect.stringMatching(/^(True|False)$/),
          observedGeneration: 3,
          reason: expect.stringMatching(/^[A-Z][A-Za-z]+$/),
          message: expect.stringMatching(/\w/),
          lastTransitionTime: "2026-01-01T00:10:00Z",
        })),
      );
    }
  });

  test("keep the time of their transition while they last, and get a new one when they return", () => {
    const first = reread(held({ releasing: true }).status, NOW_MS);
    const later = reread(first, NOW_MS + 5_000);
    expect(later.conditions).toEqual(first.conditions);
    expect(timeOf(first, "Releasing")).toBe(NOW_MS);

    const without = reread(
      { ...later, ...(later.hold && { hold: { ...later.hold, releasing: false } }) },
      NOW_MS + 6_000,
    );
    expect(typesOf(without)).toEqual(["Ready", "Held"]);
    expect(timeOf(without, "Releasing")).toBe(NOW_MS + 6_000);
    const again = reread({ ...without, ...(later.hold && { hold: later.hold }) }, NOW_MS + 9_000);
    expect([timeOf(again, "Releasing"), timeOf(again, "Held")]).toEqual([NOW_MS + 9_000, NOW_MS]);
    const next = reread(held({ holder: "run-2", token: 42 }).status, NOW_MS + 9_500, {
      ...aLease(),
      status: again,
    });
    expect(next.conditions.find(({ type }) => type === "Held")?.message).toBe("run-2 holds it");
  });

  test("for an unreachable holder name who must act, and where", () => {
    const { conditions } = reread(held({ expired: true, unreachable: true }).status);
    const condition = conditions.find(({ type }) => type === "HolderUnreachable");
    expect(condition?.message).toMatch(
      /run-1 .*node-1.*node\.kubernetes\.io\/out-of-service.*koncli lease release nightly --force --token 41/,
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

  test("finds who has paused it, where our webhook wrote that, and while it is paused", () => {
    const read = (spec: object, stamp: string) =>
      parseLease({
        metadata: { annotations: { "konductor.io/paused": stamp } },
        spec: { ttl: "1m", ...spec },
      });
    const pause = { by: "alice", sinceMs: NOW_MS };
    const paused = { paused: true, pauseReason: "repairs" };
    expect(read(paused, formatPause(pause))).toMatchObject({ spec: paused, pause });
    for (const stamp of ["", "{", "null", '{"by":"alice"}', '{"by":7,"since":"2026-01-01T00:00:00Z"}'])
      expect(read(paused, stamp).pause).toBeUndefined();
    expect(read({ paused: false }, formatPause(pause))).toMatchObject({ spec: { ttlMs: 60_000 } });
    expect(read({ paused: false }, formatPause(pause)).pause).toBeUndefined();
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

describe("the condition Granted of a request", () => {
  const MADE_MS = NOW_MS - 60_000;
  const fresh = aRequest({ createdMs: MADE_MS });
  const spec = { lease: "nightly", holder: "ci" };
  const asDefault = [{ type: "Granted", status: "False", lastTransitionTime: "1970-01-01T00:00:00Z" }];
  const becomes = (status: LeaseRequest["status"], before = fresh, nowMs = NOW_MS) => {
    const written = formatRequestStatus(before, status, nowMs);
    const metadata = { creationTimestamp: new Date(MADE_MS).toISOString() };
    return { written, read: parseLeaseRequest({ metadata, spec, status: written }) };
  };

  test.each<[LeaseRequest["status"], string, string]>([
    [{ phase: "Pending" }, "False", "Waiting"],
    [{ phase: "Pending", reason: "NotConfirmed" }, "False", "NotConfirmed"],
    [{ phase: "Granted", token: 41 }, "True", "Granted"],
    [{ phase: "Denied", reason: "TimedOut" }, "False", "TimedOut"],
    [{ phase: "Denied", reason: "" }, "False", "Denied"],
    [{ phase: "Expired", reason: "Forced", token: 41 }, "False", "Forced"],
  ])("is written with every status: %j", (status, is, reason) => {
    const { written } = becomes(status);
    expect(written["conditions"]).toEqual([
      {
        ...{ type: "Granted", status: is, reason, message: expect.stringMatching(/\w/) },
        lastTransitionTime: is === "True" ? "2026-01-01T00:10:00Z" : "2026-01-01T00:09:00Z",
      },
    ]);
  });

  test("keeps its time while it lasts", () => {
    const unwritten = parseLeaseRequest({ status: { phase: "Pending", conditions: asDefault } });
    expect(unwritten.granted).toBeUndefined();
    const { read: granted } = becomes({ phase: "Granted", token: 41 });
    expect(granted.granted).toEqual({ is: true, sinceMs: NOW_MS });
    const { read: again } = becomes({ phase: "Granted", token: 42 }, granted, NOW_MS + 5_000);
    expect(again.granted).toEqual({ is: true, sinceMs: NOW_MS });
    const { read: over } = becomes({ phase: "Expired", reason: "Forced" }, again, NOW_MS + 9_000);
    expect(over.granted).toEqual({ is: false, sinceMs: NOW_MS + 9_000 });
  });
});

test("a request cannot pass itself off as another request's hold", () => {
  const holderRef = { kind: "LeaseRequest", name: "somebody", uid: "uid-1" };
  expect(parseLeaseRequest({ spec: { lease: "a", holder: "b", holderRef } }).spec.ref).toBeUndefined();
});
