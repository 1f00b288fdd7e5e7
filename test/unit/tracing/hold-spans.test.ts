/** Which spans a change of a Lease, a wait and an admission end, and how they hang together. */
import { describe, expect, it, test } from "vitest";
import { grantHold, regrantHold } from "../../../src/lease/grant.ts";
import { changeHold, endHold, markReleasing } from "../../../src/lease/hold.ts";
import { renewHold } from "../../../src/lease/hold-renewal.ts";
import type {
  EndReason,
  Hold,
  HolderRef,
  Lease,
  LeaseRequest,
  LeaseStatus,
} from "../../../src/lease/types.ts";
import type { TracedAdmission } from "../../../src/server/admission/traced.ts";
import { spansOfAdmission, spansOfChange, spansOfWait } from "../../../src/tracing/hold-spans.ts";
import type { Span } from "../../../src/tracing/span.ts";
import { aLease, aRequest, NOW_MS } from "../lease/samples.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const ADMISSION_ID = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE_ID}-${ADMISSION_ID}-01`;
const POD: HolderRef = { kind: "Pod", name: "run-1", uid: "pod-1", node: "node-1" };
const ADMITTED: TracedAdmission = {
  kind: "Pod",
  namespace: "ns",
  name: "run-1",
  lease: "nightly",
  traceparent: TRACEPARENT,
  isRoot: true,
};

/** A Lease whose changes are told, one after the other. */
function told(traceparent = TRACEPARENT, ref: HolderRef = POD) {
  const request: LeaseRequest = {
    ...aRequest({
      spec: { holder: ref.name, ...(ref.kind !== "LeaseRequest" && { ref }), waitUntilMs: NOW_MS },
    }),
    ...(traceparent !== "none" && { traceparent }),
  };
  const spans: Span[] = [];
  let lease = aLease();
  function write(status: LeaseStatus, nowMs: number): void {
    const after: Lease = { ...lease, status };
    spans.push(...spansOfChange(lease, after, nowMs));
    lease = after;
  }
  return {
    spans,
    request,
    named: (name: string) => spans.filter((span) => span.name === name),
    grant: (atMs: number, token = 41) =>
      write(grantHold(lease.status, { request, ref, token, ttlMs: 60_000 }, atMs), atMs + 3),
    confirm(atMs: number) {
      const { token = 0 } = lease.status.hold ?? {};
      const call = {
        uid: ref.uid,
        token,
        countedTtlMs: 60_000,
        wantedTtlMs: 60_000,
        renew: true,
        gateRun: "b/1",
      };
      const answer = renewHold(lease, call, atMs);
      if (answer.ok) write(answer.status, atMs + 3);
    },
    change: (change: Partial<Hold>, atMs: number) => write(changeHold(lease.status, change), atMs),
    announce: (atMs: number) => write(markReleasing(lease.status, { uid: ref.uid }, atMs), atMs + 3),
    end: (reason: EndReason, atMs: number) => write(endHold(lease, reason, atMs), atMs + 3),
    runAgain: (atMs: number) => write(regrantHold(lease, [], atMs), atMs + 3),
  };
}

/** A pod's whole life: 5 s of waiting, 10 s of main, 1 s of release. */
function wholeLife(): Span[] {
  const life = told();
  life.grant(NOW_MS + 5_000);
  life.confirm(NOW_MS + 5_200);
  life.announce(NOW_MS + 15_200);
  life.end("Released", NOW_MS + 16_200);
  return [
    ...spansOfAdmission(ADMITTED, 7, NOW_MS - 1_000),
    ...spansOfWait("granted", 5_000, life.request),
    ...life.spans,
  ];
}

describe("the life of a pod", () => {
  test("is one trace, whose spans follow each other", () => {
    const shown = wholeLife().map(({ name, startMs, endMs }) => [name, startMs - NOW_MS, endMs - NOW_MS]);
    expect(shown).toEqual([
      ["admission", -1_007, -1_000],
      ["waiting", 0, 5_000],
      ["grant", 5_000, 5_003],
      ["confirmation", 5_000, 5_200],
      ["main", 5_200, 15_200],
      ["release", 15_200, 16_203],
      ["hold", 5_000, 16_203],
    ]);
  });

  test("hangs under its admission", () => {
    const spans = wholeLife();
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE_ID]));
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
    const holdId = spans.find(({ name }) => name === "hold")?.spanId;
    const parents = Object.fromEntries(spans.map(({ name, parentId }) => [name, parentId]));
    expect(parents).toEqual({
      admission: undefined,
      ...{ waiting: ADMISSION_ID, hold: ADMISSION_ID },
      ...{ grant: holdId, confirmation: holdId, main: holdId, release: holdId },
    });
  });

  test("says whose it is, and how it ended", () => {
    const [hold] = wholeLife().filter(({ name }) => name === "hold");
    expect(hold).toMatchObject({ namespace: "ns", error: undefined });
    expect(hold?.attributes).toEqual({
      "konductor.namespace": "ns",
      "konductor.lease": "nightly",
      "konductor.holder": "run-1",
      "konductor.token": 41,
      "konductor.request": expect.stringMatching(/^nightly-[0-9a-f]+$/),
      "konductor.reason": "Released",
      "konductor.renewals": 0,
      "k8s.namespace.name": "ns",
      "k8s.pod.name": "run-1",
      "k8s.pod.uid": "pod-1",
      "k8s.node.name": "node-1",
    });
  });
});

describe("a hold that ends in another way", () => {
  it.each<[EndReason, boolean]>([
    ["Released", false],
    ["Terminated", false],
    ["Suspended", false],
    ["Expired", true],
    ["Fenced", true],
    ["Restarted", true],
    ["Forced", true],
    ["NotStarted", true],
  ])("%s: is an error: %s", (reason, isError) => {
    const life = told();
    life.grant(NOW_MS);
    life.confirm(NOW_MS + 100);
    life.end(reason, NOW_MS + 9_000);
    const [hold] = life.named("hold");
    expect(hold?.attributes).toMatchObject({ "konductor.reason": reason });
    expect(hold?.error !== undefined).toBe(isError);
    // Nobody announced the end, so main lasted until then.
    expect(life.named("main")).toMatchObject([{ startMs: NOW_MS + 100, endMs: NOW_MS + 9_000 }]);
  });

  test("a grant that nobody confirmed has no main", () => {
    const life = told();
    life.grant(NOW_MS);
    life.end("NotConfirmed", NOW_MS + 10_000);
    expect(life.spans.map(({ name }) => name)).toEqual(["grant", "release", "hold"]);
    expect(life.named("hold")).toMatchObject([{ error: "the holder did not answer its grant in time" }]);
  });

  test("a gate that runs again ends one hold and begins the next in the same trace", () => {
    const life = told();
    life.grant(NOW_MS);
    life.confirm(NOW_MS + 100);
    life.announce(NOW_MS + 200);
    life.runAgain(NOW_MS + 3_000);
    life.confirm(NOW_MS + 3_500);
    life.end("Terminated", NOW_MS + 9_000);
    expect(life.named("hold")).toMatchObject([
      { startMs: NOW_MS, error: "the holder's gate ran again" },
      { startMs: NOW_MS + 3_000, error: undefined },
    ]);
    expect(life.named("confirmation")).toMatchObject([
      { endMs: NOW_MS + 100 },
      { startMs: NOW_MS + 3_000, endMs: NOW_MS + 3_500 },
    ]);
    expect(life.named("main")).toMatchObject([
      { endMs: NOW_MS + 200 },
      { startMs: NOW_MS + 3_500, endMs: NOW_MS + 9_000 },
    ]);
    expect(new Set(life.spans.map(({ traceId }) => traceId)).size).toBe(1);
    expect(new Set(life.spans.map(({ spanId }) => spanId)).size).toBe(life.spans.length);
  });

  test("renewals and marks end no span", () => {
    const life = told();
    life.grant(NOW_MS);
    life.confirm(NOW_MS + 100);
    const before = life.spans.length;
    life.change({ renewals: 1 }, NOW_MS + 20_000);
    life.change({ revoked: "Forced" }, NOW_MS + 21_000);
    life.announce(NOW_MS + 22_000);
    life.announce(NOW_MS + 23_000);
    expect(life.spans.length).toBe(before);
    life.end("Forced", NOW_MS + 24_000);
    expect(life.named("release")).toMatchObject([{ startMs: NOW_MS + 22_000 }]);
  });

  test("a clock that is behind makes no span end before it began", () => {
    const life = told();
    life.grant(NOW_MS);
    life.confirm(NOW_MS - 50);
    life.end("Released", NOW_MS - 400);
    for (const { startMs, endMs } of life.spans) expect(endMs).toBeGreaterThanOrEqual(startMs);
  });
});

describe("whose trace it is", () => {
  test("a user's: admission and the rest hang under the user's span", () => {
    const [span] = spansOfAdmission({ ...ADMITTED, isRoot: false }, 7, NOW_MS);
    expect(span).toMatchObject({ traceId: TRACE_ID, parentId: ADMISSION_ID });
    expect(span?.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(span?.spanId).not.toBe(ADMISSION_ID);
  });

  it.each([`00-${TRACE_ID}-${ADMISSION_ID}-00`, "none"])("nobody's: %s", (traceparent) => {
    const life = told(traceparent);
    life.grant(NOW_MS);
    life.confirm(NOW_MS + 100);
    life.end("Released", NOW_MS + 200);
    expect([...life.spans, ...spansOfWait("granted", 1, life.request)]).toEqual([]);
    expect(spansOfAdmission({ ...ADMITTED, traceparent }, 7, NOW_MS)).toEqual([]);
  });

  it.each<[HolderRef, object]>([
    [
      { kind: "Job", name: "load", uid: "job-1" },
      { "k8s.job.name": "load", "k8s.job.uid": "job-1" },
    ],
    [{ kind: "LeaseRequest", name: "ci-1", uid: "request-1" }, { "konductor.request": "ci-1" }],
  ])("%o has names of its own", (ref, names) => {
    const life = told(TRACEPARENT, ref);
    life.grant(NOW_MS);
    life.end("Released", NOW_MS + 200);
    const [hold] = life.named("hold");
    expect(hold?.attributes).toMatchObject(names);
    expect(hold?.attributes).not.toHaveProperty("k8s.pod.name");
  });
});

it.each([
  ["granted", undefined],
  ["skipped", undefined],
  ["withdrawn", undefined],
  ["timed_out", "the Lease was not granted in time"],
  ["refused", "the Lease was not free"],
  ["queue_full", "as many waited as the Lease lets wait"],
] as const)("a wait that ended as %s", (outcome, error) => {
  const [span, ...more] = spansOfWait(outcome, 5_000, { ...aRequest(), traceparent: TRACEPARENT });
  expect(more).toEqual([]);
  expect(span).toMatchObject({ name: "waiting", parentId: ADMISSION_ID, error });
  expect(span?.attributes).toMatchObject({ "konductor.outcome": outcome, "konductor.holder": "ci" });
});
