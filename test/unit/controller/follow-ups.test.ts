import { describe, expect, it } from "vitest";
import { parseLease, parseLeaseRequest } from "../../../src/lease/codec.ts";
import type { Situation } from "../../../src/lease/decision.ts";
import { followUps } from "../../../src/lease/follow-ups.ts";
import { NOT_CONFIRMED } from "../../../src/lease/order.ts";
import { parsePod } from "../../../src/lease/pod.ts";
import type { LeaseRequest } from "../../../src/lease/types.ts";
import { aHold, aLease, aRequest, NOW_MS, situationOf } from "../lease/samples.ts";

const START_MS = Date.parse("2026-01-01T00:00:00Z");
const metadata = (name: string) => ({
  namespace: "default",
  name,
  uid: `uid-${name}`,
  resourceVersion: "1",
  creationTimestamp: "2026-01-01T00:00:00Z",
});
const lease = parseLease({ metadata: metadata("nightly"), spec: { ttl: "1m" } });
const request = (spec: object) =>
  parseLeaseRequest({
    metadata: metadata("nightly-1"),
    spec: { lease: "nightly", holder: "host-1", requestedAt: "2026-01-01T00:00:00.000000Z", ...spec },
  });

function stepsAfter(seconds: number, spec: object) {
  const requests = [request(spec)];
  const nowMs = START_MS + seconds * 1_000;
  return followUps({ ...situationOf(lease, { requests, nowMs }), hasLapsed: () => false }).map(
    (step) => step.do,
  );
}

describe("a request with a waitUntil", () => {
  const waitUntil = "2026-01-01T00:00:30.000000Z";

  it("stays until then, and is dropped afterwards", () => {
    expect(stepsAfter(30, { waitUntil })).toEqual([]);
    expect(stepsAfter(31, { waitUntil })).toEqual(["delete"]);
  });

  it("stays for ever without one", () => {
    expect(stepsAfter(86_400, {})).toEqual([]);
  });

  it("is denied if it is a pod's, so that its gate learns why", () => {
    const holderRef = { kind: "Pod", name: "a", uid: "u" };
    expect(stepsAfter(31, { waitUntil, holderRef })).toEqual(["deny"]);
  });
});

describe("a request that a pod has made after its grant", () => {
  const ref = { kind: "Pod" as const, name: "run-1", uid: "pod-1" };
  const hold = aHold();
  // The klease in a cache that has not shown the hold's end yet.
  const outdated = aLease({ hold, lastToken: hold.token, lastRequest: "request-1" });
  const follow = (spec: object, status: Partial<LeaseRequest["status"]> = {}, uid = "request-2") =>
    followUps({
      ...situationOf(outdated, {
        requests: [
          aRequest({ name: "again", uid, spec: { ref, ...spec }, status: { phase: "Pending", ...status } }),
        ],
      }),
      hasLapsed: () => false,
    });

  it("is not mistaken for the granted request, and keeps its place", () => {
    expect(follow({ requestedAtMs: NOW_MS + 5 })).toEqual([]);
  });

  it("is treated differently from the granted request, a recreated one, and one that shows this hold", () => {
    const marked = [{ do: "mark", status: { phase: "Granted", token: hold.token } }];
    expect(follow({}, {}, "request-1")).toMatchObject(marked);
    expect(follow({ requestedAtMs: hold.acquiredMs })).toMatchObject(marked);
    expect(follow({ requestedAtMs: NOW_MS }, { phase: "Granted", token: hold.token })).toEqual([]);
  });
});

describe("a pod whose grant was taken back", () => {
  const waitingPod = parsePod({
    metadata: { namespace: "ns", name: "p", uid: "u", resourceVersion: "1" },
    spec: { containers: [{ name: "main" }] },
    status: { phase: "Pending" },
  });
  const passedOver = aRequest({
    spec: { ref: { kind: "Pod", name: "p", uid: "u" } },
    status: { phase: "Pending", reason: NOT_CONFIRMED },
  });
  const stepsFor = (gated: boolean, change: Partial<Situation> = {}) =>
    followUps({
      ...situationOf(aLease({ lastToken: 41 }), {
        requests: [passedOver],
        evidenceOf: () => ({ is: "present", pod: { ...waitingPod, gated } }),
        ...change,
      }),
      hasLapsed: () => false,
    }).map((step) => step.do);

  it("queues again while it waits behind its scheduling gate, since its gate does not run yet", () => {
    expect(stepsFor(true)).toEqual(["queueAgain"]);
  });

  it("lets others go first while its scheduling gate cannot be removed", () => {
    const isStuck: Situation["isStuck"] = (what, uid) => what === "ungate" && uid === "u";
    const ref = { kind: "LeaseRequest", name: "ci", uid: "uid-of-ci" } as const;
    const lease = aLease({ lastToken: 41, hold: aHold({ ref }) });
    expect(stepsFor(true, { isStuck, lease })).toEqual([]);
    expect(stepsFor(true, { lease })).toEqual(["queueAgain"]);
    expect(stepsFor(true, { isStuck })).toEqual(["queueAgain"]);
  });

  it("is passed over until its gate asks, if its gate can run", () => {
    expect(stepsFor(false)).toEqual([]);
  });
});
