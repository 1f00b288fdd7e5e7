/** How long a pod waits, from its annotations to the denial: its request, when it is no longer granted, and the follow-up. */
import { describe, expect, it } from "vitest";
import { requestOf } from "../../../src/lease/claimant-request.ts";
import { decide } from "../../../src/lease/decide.ts";
import type { Situation } from "../../../src/lease/decision.ts";
import type { Evidence } from "../../../src/lease/evidence.ts";
import { dueAtMs, followUps } from "../../../src/lease/follow-ups.ts";
import { isOneTry } from "../../../src/lease/order.ts";
import { readSettings } from "../../../src/lease/settings.ts";
import type { Lease, LeaseRequest } from "../../../src/lease/types.ts";
import { createPod, statusOf } from "./pod-fixture.ts";
import { aLease, aRequest, held, NOW_MS, situationOf } from "./samples.ts";

const present: Evidence = {
  is: "present",
  pod: statusOf(createPod(7, { selfFencing: true, restartPolicy: "Never" })),
};

/** The request of a pod with these annotations, made now. */
function requestWith(annotations: Record<string, string>, status: LeaseRequest["status"] = PENDING) {
  const written = Object.entries(annotations).map(([name, value]) => [`konductor.io/${name}`, value]);
  const labels = { "konductor.io/lease": "nightly" };
  const read = readSettings({ labels, annotations: Object.fromEntries(written) });
  if (!read.ok) throw new Error(read.problem);
  const pod = { namespace: "ns", name: "run-7", uid: "pod-7" };
  const { spec } = requestOf("Pod", pod, read.settings, { nowMs: NOW_MS, requestedBy: "konductor" });
  return aRequest({ name: "run-7", spec, status });
}

const PENDING = { phase: "Pending" } as const;
const PASSED_OVER = { phase: "Pending", reason: "NotConfirmed" } as const;

function situation(lease: Lease, requests: LeaseRequest[], nowMs: number, evidence = present): Situation {
  return situationOf(lease, {
    requests,
    evidenceOf: () => evidence,
    nowMs,
  });
}

function followUp(request: LeaseRequest, nowMs: number, evidence = present) {
  const asked = situation(held(), [request], nowMs, evidence);
  const steps = followUps({ ...asked, hasLapsed: () => false });
  return steps
    .filter((step) => step.do !== "putBack")
    .map((step) => (step.do === "deny" ? step.status : step.do));
}

describe("a pod's request", () => {
  it.each([
    ["waits for ever by default", {}, undefined],
    ["is tried once with if-held: fail", { "if-held": "fail" }, 0],
    ["waits for its wait-timeout", { "wait-timeout": "1h30m" }, 5_400_000],
    ["waits, however short its wait-timeout is", { "wait-timeout": "1ns" }, 1],
  ])("%s", (_, annotations: Record<string, string>, waitMs) => {
    const request = requestWith(annotations);
    const { waitUntilMs } = request.spec;
    expect(waitUntilMs === undefined ? undefined : waitUntilMs - NOW_MS).toBe(waitMs);
    expect(isOneTry(request)).toBe(waitMs === 0);
  });
});

describe("a request for a single try", () => {
  const request = requestWith({ "if-held": "fail" });

  it("is granted when the klease is free, however late the arbiter sees it", () => {
    const late = situation(aLease(), [request], NOW_MS + 60_000);
    expect(decide(late)).toMatchObject({ do: "write", why: "Granted", granted: request });
  });

  it("is denied when the klease is held, and stays so until its gate asks again or its pod ends", () => {
    expect(followUp(request, NOW_MS)).toEqual([{ phase: "Denied", reason: "Held" }]);
    expect(followUp({ ...request, status: { phase: "Denied", reason: "Held" } }, NOW_MS)).toEqual([]);
  });

  it("is not denied while it is passed over, since its gate must ask again first", () => {
    expect(followUp(requestWith({ "if-held": "fail" }, PASSED_OVER), NOW_MS)).toEqual([]);
  });
});

describe("a request that has waited long enough", () => {
  const request = requestWith({ "wait-timeout": "5m" });
  const endMs = NOW_MS + 300_000;

  it("is no longer granted, but the next request is", () => {
    const next = aRequest({ name: "next", spec: { requestedAtMs: NOW_MS + 1 } });
    const at = (nowMs: number) => decide(situation(aLease(), [request, next], nowMs));
    expect(at(endMs)).toMatchObject({ granted: request });
    expect(at(endMs + 1)).toMatchObject({ granted: next });
  });

  it("is denied, and not before", () => {
    expect(followUp(request, endMs)).toEqual([]);
    expect(followUp(request, endMs + 1)).toEqual([{ phase: "Denied", reason: "TimedOut" }]);
    expect(dueAtMs(request)).toBe(endMs);
  });

  it("is denied only once its gate has asked again, if it was passed over", () => {
    const passedOver = requestWith({ "wait-timeout": "5m" }, PASSED_OVER);
    expect(followUp(passedOver, endMs + 1)).toEqual([]);
    expect(dueAtMs(passedOver)).toBe(Number.POSITIVE_INFINITY);
  });

  it("is deleted when its pod has ended", () => {
    const gone = { is: "gone", isFinal: true, nodeOutOfService: false } as const;
    expect(followUp(request, endMs + 1, gone)).toEqual(["delete"]);
  });
});
