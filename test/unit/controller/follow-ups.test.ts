import { describe, expect, it } from "vitest";
import { followUps } from "../../../src/controller/follow-ups.ts";
import { parseLease, parseLeaseRequest } from "../../../src/lease/codec.ts";

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
  return followUps({
    lease,
    requests,
    evidenceOf: () => ({ is: "unknown" }),
    hasLapsed: () => false,
    nowMs,
  }).map((step) => step.do);
}

describe("a request that waits until", () => {
  const waitUntil = "2026-01-01T00:00:30.000000Z";

  it("stays until its waitUntil and is dropped then", () => {
    expect(stepsAfter(30, { waitUntil })).toEqual([]);
    expect(stepsAfter(31, { waitUntil })).toEqual(["delete"]);
  });

  it("stays for ever when it names none", () => {
    expect(stepsAfter(86_400, {})).toEqual([]);
  });

  it("is denied, so that its gate hears why, when it is a pod's", () => {
    const holderRef = { kind: "Pod", name: "a", uid: "u" };
    expect(stepsAfter(31, { waitUntil, holderRef })).toEqual(["deny"]);
  });
});
