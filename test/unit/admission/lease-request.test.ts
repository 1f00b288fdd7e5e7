import { describe, expect, it } from "vitest";
import { stampRequest } from "../../../src/server/admission/lease-request.ts";
import { NOW_MS } from "./fixtures.ts";

const NOW = "2026-03-01T12:00:00.250000Z";
const EARLIER = "2026-03-01T11:00:00.000000Z";
const LATER = "2026-03-01T13:00:00.000000Z";

const requestWith = (spec: object, metadata: object = {}) => ({
  metadata: { name: "r", labels: { "konductor.io/lease": "report" }, ...metadata },
  spec: { lease: "report", holder: "ci", ...spec },
});
const create = (request: Record<string, unknown>) =>
  stampRequest(request, { operation: "CREATE", username: "alice", oldObject: undefined }, NOW_MS);
const update = (request: Record<string, unknown>, oldObject: object, nowMs = NOW_MS) =>
  stampRequest(request, { operation: "UPDATE", username: "alice", oldObject }, nowMs);

describe("a new LeaseRequest", () => {
  const STAMPS = { requestedAt: NOW, requestedBy: "alice" };

  it.each<[string, object, object]>([
    ["without stamps", {}, {}],
    ["that claims an earlier time and another user", { requestedAt: EARLIER, requestedBy: "bob" }, {}],
    ["that claims a renewal", { renewTime: LATER }, { renewTime: NOW }],
    ["that claims to come from a pod's gate", { gateRun: "node-1/7" }, {}],
    ["that waits", { waitUntil: LATER }, { waitUntil: LATER }],
    ["that waits, by its own clock", { requestedAt: EARLIER, waitUntil: LATER }, { waitUntil: LATER }],
    ["for a single try", { requestedAt: LATER, waitUntil: LATER }, { waitUntil: NOW }],
    ["for a single try that is over", { requestedAt: LATER, waitUntil: EARLIER }, { waitUntil: NOW }],
    ["that waits until a time in the past", { waitUntil: EARLIER }, { waitUntil: NOW }],
    [
      "with times that the schema refuses",
      { waitUntil: "soon", renewTime: 1 },
      { waitUntil: "soon", renewTime: 1 },
    ],
  ])("%s is stamped", (_what, spec, expected) => {
    expect(create(requestWith(spec))).toEqual(requestWith({ ...expected, ...STAMPS }));
  });

  it.each<[string, object]>([
    ["no label", { labels: undefined }],
    ["a wrong label", { labels: { "konductor.io/lease": "other" } }],
  ])("with %s gets its Lease's label", (_what, metadata) => {
    expect(create(requestWith({}, metadata))).toEqual(requestWith(STAMPS));
  });

  it("keeps its other labels", () => {
    const labels = { team: "a", "konductor.io/lease": "report" };
    expect(create(requestWith({}, { labels: { team: "a" } }))).toEqual(requestWith(STAMPS, { labels }));
  });

  it("may not claim to belong to a pod", () => {
    const holderRef = { kind: "Pod", name: "p", uid: "u" };
    expect(() => create(requestWith({ holderRef }))).toThrow("spec.holderRef: konductor alone sets it");
  });

  it("is left to the schema where it has no spec", () => {
    expect(create({ metadata: {}, spec: 1 })).toEqual({ metadata: {}, spec: STAMPS });
  });
});

describe("a renewal", () => {
  it.each<[string, string | undefined, unknown, string | undefined]>([
    ["gets the server's time", EARLIER, LATER, NOW],
    ["gets the server's time when it is the first", undefined, LATER, NOW],
    [
      "gets a later time than the last, even from a replica whose clock is behind",
      LATER,
      EARLIER,
      "2026-03-01T13:00:00.001000Z",
    ],
    ["is none if renewTime did not change", LATER, LATER, LATER],
    ["is none if renewTime is removed", EARLIER, undefined, EARLIER],
  ])("%s", (_what, before, sent, stored) => {
    expect(update(requestWith({ renewTime: sent }), requestWith({ renewTime: before }))).toEqual(
      requestWith({ renewTime: stored }),
    );
  });

  it("that is not a time is left to the schema", () => {
    const request = requestWith({ renewTime: "now" });
    expect(update(request, requestWith({ renewTime: EARLIER }))).toEqual(request);
  });

  it("never gets the same time twice", () => {
    const first = update(requestWith({ renewTime: EARLIER }), requestWith({}));
    const second = update(requestWith({ renewTime: EARLIER }), first);
    expect([first, second]).toEqual(
      [NOW, "2026-03-01T12:00:00.251000Z"].map((renewTime) => requestWith({ renewTime })),
    );
  });
});

it("an update stamps nothing else, and restores the label", () => {
  const request = requestWith(
    { requestedAt: EARLIER, requestedBy: "bob", waitUntil: EARLIER },
    { labels: {} },
  );
  expect(update(request, requestWith({}))).toEqual(
    requestWith({ requestedAt: EARLIER, requestedBy: "bob", waitUntil: EARLIER }),
  );
});
