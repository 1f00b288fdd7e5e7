/** What `decide()` names while a step on another object than the Lease is always refused, or a cache is behind: one test for each rule. */
import { describe, expect, test } from "vitest";
import { decide } from "../../../src/lease/decide.ts";
import type { HoldTimers, Situation, StuckStep } from "../../../src/lease/decision.ts";
import type { Evidence } from "../../../src/lease/evidence.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import type { Hold, LeaseSpec } from "../../../src/lease/types.ts";
import { createPod, statusOf } from "./pod-fixture.ts";
import { aHold, aLease, aRequest, held, NOW_MS, situationOf } from "./samples.ts";

const { token, ref } = aHold();
const waiter = aRequest({ name: "waiter" });
const unknown: Evidence = { is: "unknown" };
const stuck =
  (...steps: StuckStep[]) =>
  (what: StuckStep) =>
    steps.includes(what);

function pod(change: Partial<PodView> = {}): PodView {
  const truth = createPod(1, { selfFencing: true, restartPolicy: "Never" });
  const passed = { gate: "passed", main: "running", keeper: "running", gateFinishedMs: NOW_MS } as const;
  return {
    ...statusOf({ ...truth, ...passed, token, mainStartedMs: NOW_MS, keeperStartedMs: NOW_MS }),
    ...change,
  };
}
const present = (change: Partial<PodView> = {}): Evidence => ({ is: "present", pod: pod(change) });
const waiting = { name: "main", kind: "app", state: "waiting", hasRestartRules: false } as const;
const unstarted = present({ main: [waiting] });

function situation(hold: Partial<Hold>, timers: Partial<HoldTimers>, change: Partial<Situation> = {}) {
  const none = situationOf(held(hold), { requests: [waiter] });
  return { ...none, timers: { ...none.timers, ...timers }, ...change };
}

describe("a pod that cannot be looked at", () => {
  const look = { do: "look", at: ref };
  const unseen = (hold: Partial<Hold>, timers: Partial<HoldTimers>, spec: Partial<LeaseSpec> = {}) =>
    situation(hold, timers, { lease: held(hold, spec), isStuck: stuck("look") });

  test("expires on time", () => {
    expect(decide(situation({}, { silentForMs: 62_000 }))).toEqual(look);
    expect(decide(unseen({}, { silentForMs: 61_000 }))).toEqual({ do: "wait", forMs: 1_000 });
    expect(decide(unseen({}, { silentForMs: 62_000 }))).toMatchObject({ why: "Expiring" });
  });

  test("counts neither as ended nor as fencing: somebody must act, unless time counts as proof (AfterExpiry)", () => {
    const since = { expiredForMs: 35_000, endingForMs: 35_000 };
    expect(decide(unseen({ expired: true }, since))).toMatchObject({ why: "HolderUnreachable" });
    expect(decide(unseen({ expired: true }, since, { handoverPolicy: "AfterExpiry" }))).toMatchObject({
      why: "Granted",
    });
  });

  test("does not count as fencing because of what a cache says of its keeper", () => {
    const cached = { ...unseen({ expired: true }, { expiredForMs: 9_000 }), evidenceOf: () => present() };
    const stale = { ...cached, lookedAgoMs: () => 9_001 };
    expect(decide(stale)).toMatchObject({ do: "wait" });
    expect(decide({ ...stale, isStuck: () => false })).toEqual(look);
    expect(decide({ ...cached, lookedAgoMs: () => 1_000 })).toMatchObject({ why: "Granted" });
  });

  test("is not revoked because the cache has not seen it start", () => {
    const late = situation({}, { heldForMs: 600_100 }, { evidenceOf: () => unstarted });
    const stale = { ...late, lookedAgoMs: () => 101 };
    expect(decide(stale)).toEqual(look);
    expect(decide({ ...stale, isStuck: stuck("look") })).toEqual({ do: "wait", forMs: 62_000 });
    expect(decide({ ...late, lookedAgoMs: () => 100 })).toMatchObject({ why: "Revoked" });
  });

  test("does not lose its hold to a forced release because the cache has not seen it run", () => {
    const { node: _, ...unbound } = pod();
    const lease = { ...held({ revoked: "Forced" }), forced: { token, by: "alice", now: false } };
    const forced = situation({}, {}, { lease, evidenceOf: () => ({ is: "present", pod: unbound }) });
    const stale = { ...forced, lookedAgoMs: () => 60_000 };
    expect(decide(stale)).toEqual(look);
    expect(decide({ ...stale, isStuck: stuck("look") }).do).not.toBe("write");
    expect(decide(forced)).toMatchObject({ why: "Granted" });
  });
});

describe("a pod that cannot be deleted", () => {
  const down = present({ keeper: { ...waiting, name: "konductor-keeper", kind: "sidecar" } });
  const refused = (timers: Partial<HoldTimers>, spec: Partial<LeaseSpec>, hold: Partial<Hold> = {}) =>
    situation({}, timers, {
      lease: held({ expired: true, ...hold }, spec),
      evidenceOf: () => down,
      isStuck: stuck("deletePod"),
    });

  test.each<[string, Partial<LeaseSpec>, string]>([
    ["asks somebody to act", {}, "HolderUnreachable"],
    ["is succeeded by the next waiter with AfterExpiry", { handoverPolicy: "AfterExpiry" }, "Granted"],
  ])("%s, after the time that its termination may take", (_, spec, why) => {
    const since = (ms: number) => ({ expiredForMs: ms, endingForMs: ms });
    expect(decide(refused(since(34_000), spec))).toMatchObject({ do: "deletePod" });
    expect(decide(refused(since(35_000), spec))).toMatchObject({ do: "write", why });
  });

  test("is not trusted to have fenced: without a deletion it may run on", () => {
    const since = { expiredForMs: 35_000, endingForMs: 35_000 };
    const releasing = { ...refused(since, {}, { releasing: true }), evidenceOf: () => present() };
    expect(decide(releasing)).toMatchObject({ why: "HolderUnreachable" });
  });

  test("is still tried again after that", () => {
    expect(decide(refused({ expiredForMs: 99_000 }, {}, { unreachable: true }))).toMatchObject({
      do: "deletePod",
    });
  });

  test("expires although its hold was revoked", () => {
    const hold = { revoked: "NotStarted", ref: { ...ref, selfFencing: false } } as const;
    const revoked = situation(hold, { silentForMs: 1_000 }, { evidenceOf: () => present() });
    expect(decide(revoked)).toMatchObject({ do: "deletePod" });
    expect(decide({ ...revoked, timers: { ...revoked.timers, silentForMs: 62_000 } })).toMatchObject({
      why: "Expiring",
    });
  });
});

describe("a free Lease goes to whoever can use it", () => {
  const free = aLease({ lastToken: token, lastRequest: "request-1" });
  const own = (name: string, uid: string) =>
    aRequest({
      name,
      uid,
      spec: { requestedAtMs: NOW_MS - 9_000, ref: { kind: "Pod", name, uid: `uid-of-${name}` } },
    });

  test("although the first waiter's pod cannot be looked at", () => {
    const first = own("unseen", "request-2");
    const asked = situationOf(free, { requests: [first, waiter], evidenceOf: () => unknown });
    expect(decide(asked)).toEqual({ do: "look", at: first.spec.ref });
    expect(decide({ ...asked, isStuck: stuck("look") })).toMatchObject({ granted: waiter });
  });

  test("although a request that had its hold cannot be deleted, and is not granted again", () => {
    const spent = own("spent", "request-1");
    const asked = situationOf(free, { requests: [spent, waiter], evidenceOf: () => present() });
    expect(decide(asked)).toEqual({ do: "retire", request: spent });
    const isStuck = (what: StuckStep, uid?: string) => what === "retire" && uid === spent.uid;
    expect(decide({ ...asked, isStuck })).toMatchObject({ granted: waiter });
    expect(decide({ ...asked, isStuck, requests: [spent] })).toEqual({ do: "wait" });
  });
});

describe("a client", () => {
  const request = aRequest({ name: "own", spec: { renewTimeMs: NOW_MS } });
  const hold = { ref: { kind: "LeaseRequest", name: "own", uid: request.uid }, confirmed: false } as const;

  test("whose request cannot be marked with its hold is not confirmed, and loses the grant as soon as others would", () => {
    const asked = situation(hold, { answerableForMs: 9_000 }, { requests: [request, waiter] });
    expect(decide(asked)).toMatchObject({ why: "Renewed", trace: request });
    const late = { ...asked, timers: { ...asked.timers, answerableForMs: 10_000 } };
    expect(decide(late)).toMatchObject({ why: "Renewed" });
    expect(decide({ ...late, isStuck: stuck("trace") })).toMatchObject({ do: "write", why: "NotConfirmed" });
  });

  test("whose request cannot be looked at expires", () => {
    const asked = situation({ ...hold, confirmed: true }, { silentForMs: 62_000 });
    expect(decide(asked)).toEqual({ do: "look", at: hold.ref });
    expect(decide({ ...asked, isStuck: stuck("look") })).toMatchObject({ why: "Expiring" });
  });
});
