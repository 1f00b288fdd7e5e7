/** Work that is done once: what proves that it has succeeded, when it is noted, and who is not granted the klease any more. */
import { describe, expect, test } from "vitest";
import { formatLeaseStatus, parseLease } from "../../../src/lease/codec.ts";
import { decide } from "../../../src/lease/decide.ts";
import type { Decision, Situation } from "../../../src/lease/decision.ts";
import { followUps } from "../../../src/lease/follow-ups.ts";
import { grantHold } from "../../../src/lease/grant.ts";
import { endHold } from "../../../src/lease/hold.ts";
import { parseJob } from "../../../src/lease/job.ts";
import { DONE_REMEMBERED, isOnceKey } from "../../../src/lease/once.ts";
import { headOfQueue, isDenied } from "../../../src/lease/order.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import { provesSuccess } from "../../../src/lease/proof.ts";
import type { DoneWork, Hold, LeaseRequest } from "../../../src/lease/types.ts";
import { ANNOTATION, LEASE_LABEL, passMessage } from "../../../src/shared/names.ts";
import { createPod, statusOf, type TruePod } from "./pod-fixture.ts";
import { aHold, aLease, aRequest, held, JUST_NOW, NOW_MS, situationOf } from "./samples.ts";

const TOKEN = aHold().token;
const KEY = "schema-v42";
const GATE_MS = NOW_MS - 120_000;
const DONE: DoneWork = { key: KEY, holder: "first", token: 7, timeMs: NOW_MS - 60_000 };

/** A pod that was let through under `token`, as its kubelet shows it. */
function podThat(change: Partial<PodView>, truth: Partial<TruePod> = {}): PodView {
  const pod: TruePod = {
    ...createPod(1, { selfFencing: true, restartPolicy: "Never" }),
    ...{
      token: TOKEN,
      gate: "passed",
      gateFinishedMs: GATE_MS,
      mainStartedMs: GATE_MS,
      keeperStartedMs: GATE_MS,
    },
    ...{ main: "ended", mainExit: 0, keeper: "running" },
    ...truth,
  };
  return { ...statusOf(pod), ...change };
}

const SUCCEEDED = podThat({ phase: "Succeeded" }, { keeper: "ended" });
const endedKeeper = (exitCode: number): Partial<PodView> => ({
  keeper: { name: "konductor-keeper", kind: "sidecar", state: "terminated", exitCode, hasRestartRules: true },
});

describe("a pod has succeeded", () => {
  test.each<[string, PodView, boolean]>([
    ["its kubelet wrote Succeeded", SUCCEEDED, true],
    ["main has ended with 0, and the phase is not written yet", podThat({}), false],
    ["it failed", podThat({ phase: "Failed" }, { mainExit: 1 }), false],
    ["it was evicted, and main ended with 0 when it was told to", podThat({ phase: "Failed" }), false],
    ["it ended with 0 while it was being deleted", { ...SUCCEEDED, deletionMs: NOW_MS }, false],
    ["its keeper has fenced it", { ...SUCCEEDED, ...endedKeeper(75) }, false],
    ["its keeper was killed at the end", { ...SUCCEEDED, ...endedKeeper(137) }, true],
    [
      "it succeeded in a run under another token",
      podThat({ phase: "Succeeded" }, { token: TOKEN - 1 }),
      false,
    ],
    [
      "its kubelet keeps no termination messages",
      { ...SUCCEEDED, gate: { ...SUCCEEDED.gate, message: "" } as PodView["gate"] & {} },
      false,
    ],
  ])("if %s", (_, pod, isSo) => {
    expect(provesSuccess(pod, TOKEN)).toBe(isSo);
  });
});

const waiter = (name: string, once?: string) =>
  aRequest({ name, spec: { holder: name, ...(once !== undefined && { once }) } });

/** The pod's hold of work that is done once, while `waiters` wait. */
function situation(
  pod: PodView | undefined,
  {
    hold = {},
    waiters = [],
    ...change
  }: Partial<Situation> & { hold?: Partial<Hold>; waiters?: LeaseRequest[] } = {},
): Situation {
  return situationOf(held({ once: KEY, ...hold }), {
    requests: waiters,
    evidenceOf: () =>
      pod ? { is: "present", pod } : { is: "gone", isFinal: false, nodeOutOfService: false },
    timers: {
      heldForMs: 99_000,
      silentForMs: 1_000,
      answerableForMs: 99_000,
      expiredForMs: 99_000,
      endingForMs: 99_000,
      idleForMs: 0,
    },
    ...change,
  });
}

const noted = (decision: Decision) => (decision.do === "write" ? (decision.status.done ?? []) : undefined);
const isEnd = (decision: Decision) => decision.do === "write" && decision.status.hold?.token !== TOKEN;

describe("the hold of a pod", () => {
  test("ends by proof of success, and the same write notes the work", () => {
    const decision = decide(situation(SUCCEEDED));
    expect(decision).toMatchObject({ why: "Terminated" });
    expect(noted(decision)).toEqual([{ key: KEY, holder: "run-1", token: TOKEN, timeMs: NOW_MS }]);
  });

  test("goes on when main has ended with 0, until its kubelet says how the pod has ended", () => {
    expect(isEnd(decide(situation(podThat({}))))).toBe(false);
    expect(isEnd(decide(situation(podThat({}), { hold: { releasing: true } })))).toBe(false);
  });

  test.each<[string, PodView, Partial<Hold>]>([
    ["main has failed for good", podThat({}, { mainExit: 1 }), {}],
    ["the pod is being deleted", podThat({ deletionMs: NOW_MS }), {}],
    ["the pod has failed", podThat({ phase: "Failed" }), {}],
    ["the keeper has fenced", podThat(endedKeeper(75)), {}],
    ["the hold has expired meanwhile", podThat({}), { expired: true }],
    ["the hold was taken from its holder", podThat({}), { revoked: "Forced" }],
  ])("ends at once, and nothing is noted, if %s", (_, pod, hold) => {
    const decision = decide(situation(pod, { hold }));
    expect(isEnd(decision)).toBe(true);
    expect(noted(decision)).toEqual([]);
  });

  test("is noted by the last version of a pod that is gone", () => {
    const gone = { is: "gone", last: SUCCEEDED, isFinal: true, nodeOutOfService: false } as const;
    expect(noted(decide(situation(undefined, { evidenceOf: () => gone })))).toHaveLength(1);
  });

  test("ends at once as before, if its work is not done once", () => {
    const { lease, ...rest } = situation(podThat({}));
    const { once: _, ...plain } = aHold();
    const decision = decide({ ...rest, lease: { ...lease, status: { ...lease.status, hold: plain } } });
    expect(isEnd(decision)).toBe(true);
    expect(decision.do === "write" && decision.status.done).toBeUndefined();
  });
});

describe("an admin's forced release", () => {
  test("of work that has succeeded notes nothing", () => {
    const lease = { ...held({ once: KEY }), forced: { token: TOKEN, by: "alice", now: true } };
    expect(endHold(lease, "Terminated", NOW_MS, true).done).toBeUndefined();
  });
});

describe("waiters whose work is done", () => {
  const free = aLease({ lastToken: TOKEN, done: [DONE] });

  test("are not granted the klease, and others are", () => {
    const requests = [waiter("again", KEY)];
    expect(decide(situationOf(free, { requests }))).toEqual({ do: "wait" });
    const other = waiter("other", "schema-v43");
    expect(decide(situationOf(free, { requests: [...requests, other] }))).toMatchObject({ granted: other });
    const plain = waiter("plain");
    expect(decide(situationOf(free, { requests: [...requests, plain] }))).toMatchObject({ granted: plain });
  });

  test("are not granted it by the very write that notes their work", () => {
    const waiters = [waiter("again", KEY)];
    const decision = decide(situation(SUCCEEDED, { waiters, nowMs: NOW_MS }));
    expect(decision.do === "write" && decision.status.hold).toBeUndefined();
    // The end waits for a moment only if somebody could be granted it in the same write.
    const next = waiter("next", "schema-v43");
    const both = decide(situation(SUCCEEDED, { waiters: [...waiters, next] }));
    expect(both).toMatchObject({ granted: next, status: { hold: { once: "schema-v43" } } });
    expect(noted(both)).toHaveLength(1);
  });

  test("are granted it when the work has failed", () => {
    const again = waiter("again", KEY);
    expect(decide(situation(podThat({ phase: "Failed" }), { waiters: [again] }))).toMatchObject({
      granted: again,
    });
  });

  test("are not named as the next", () => {
    const requests = [waiter("again", KEY)];
    const queue = { requests, evidenceOf: () => ({ is: "unknown" }) as const, nowMs: NOW_MS };
    expect(headOfQueue(free, queue)).toEqual({ waiters: 1 });
  });

  test.each<[string, Partial<LeaseRequest["spec"]>]>([
    ["waits", {}],
    ["tries once", { waitUntilMs: NOW_MS }],
  ])("are told so: a client that %s", (_, spec) => {
    const request = aRequest({ name: "again", spec: { once: KEY, ...spec } });
    const input = { ...situationOf(free, { requests: [request] }), hasLapsed: () => false };
    expect(followUps(input)).toEqual([
      { do: "deny", request, status: { phase: "Denied", reason: "AlreadyDone", expiresMs: NOW_MS + 60_000 } },
    ]);
  });

  const ofPod = (change: Partial<PodView>, status: LeaseRequest["status"] = { phase: "Pending" }) => {
    const ref = { kind: "Pod", name: "run-1", uid: "pod-1" } as const;
    const request = aRequest({ name: "again", spec: { once: KEY, ref, waitUntilMs: NOW_MS - 1 }, status });
    const evidenceOf = () => ({ is: "present", pod: podThat(change, { gate: "asking" }) }) as const;
    const input = { ...situationOf(free, { requests: [request], evidenceOf }), hasLapsed: () => false };
    return { request, steps: followUps(input) };
  };

  test("are left to whoever ends their Jobs, whatever their try or wait would come to", () => {
    expect(ofPod({ job: { name: "migrate", uid: "job-1" } }).steps).toEqual([]);
  });

  const ENDS_WITH_JOB = { phase: "Denied", reason: "AlreadyDone" } as const;
  test.each<[string, LeaseRequest["status"] | undefined, string]>([
    ["waits", undefined, "deny"],
    ["was to end with its Job", ENDS_WITH_JOB, "mark"],
  ])("are told so: a pod that has lost its Job, and %s", (_, status, step) => {
    const { request, steps } = ofPod({}, status);
    expect(steps).toEqual([
      { do: step, request, status: { phase: "Denied", reason: "AlreadyDoneWithoutJob" } },
    ]);
    const told = { ...request, status: { phase: "Denied", reason: "AlreadyDoneWithoutJob" } } as const;
    expect(isDenied(told)).toBe(true);
    expect(ofPod({}, told.status).steps).toEqual([]);
  });
});

describe("a client's hold", () => {
  const own = (spec: Partial<LeaseRequest["spec"]>, change: Partial<LeaseRequest> = {}) =>
    aRequest({ name: "own", spec: { once: KEY, ...spec }, status: { phase: "Granted" }, ...change });
  const ref = { kind: "LeaseRequest", name: "own", uid: "uid-of-own" } as const;
  const under = (request: LeaseRequest, hold: Partial<Hold> = {}) =>
    decide(situationOf(held({ ref, once: KEY, holder: "ci", ...hold }), { requests: [request] }));

  test("ends by its word that its command has ended with 0, which notes the work", () => {
    expect(noted(under(own({ succeeded: TOKEN })))).toEqual([
      { key: KEY, holder: "ci", token: TOKEN, timeMs: NOW_MS },
    ]);
  });

  test("goes on if that word is about another hold", () => {
    expect(isEnd(under(own({ succeeded: TOKEN - 1 })))).toBe(false);
  });

  const SILENT = { ...JUST_NOW, heldForMs: 70_000, silentForMs: 70_000, expiredForMs: 7_000 };
  test.each<[string, Partial<Hold>, number, object]>([
    ["silent", {}, 8_000, { why: "Expiring" }],
    ["expired", { expired: true }, 7_000, { why: "Expired" }],
  ])("that is %s ends only after a live look at its request", (_, change, withinMs, end) => {
    const lease = held({ ref, once: KEY, holder: "ci", ...change });
    const judged = (lookedAgoMs: number, more: Partial<Situation> = {}) =>
      decide(
        situationOf(lease, {
          ...{ requests: [own({})], timers: SILENT, lookedAgoMs: () => lookedAgoMs },
          ...more,
        }),
      );
    expect(judged(Number.POSITIVE_INFINITY)).toMatchObject({ do: "look", at: ref });
    expect(judged(withinMs + 1)).toMatchObject({ do: "look", at: ref });
    expect(judged(withinMs)).toMatchObject(end);
    // A look that is refused for ever keeps nobody waiting.
    expect(judged(withinMs + 1, { isStuck: (what) => what === "look" })).toMatchObject(end);
  });

  test("that is silent expires after that look, however fast renewals come that are refused", () => {
    const lease = held({ ref, once: KEY, holder: "ci", renewTimeMs: NOW_MS - 1 }, { renewable: false });
    const requests = [own({ renewTimeMs: NOW_MS })];
    const judged = (ms: number) =>
      decide(situationOf(lease, { requests, timers: SILENT, lookedAgoMs: () => ms }));
    expect(judged(Number.POSITIVE_INFINITY)).toMatchObject({ do: "look", at: ref });
    expect(judged(0)).toMatchObject({ why: "Expiring" });
  });

  test("ends by a release without it, and notes nothing", () => {
    const { lease } = situationOf(held({ ref, once: KEY }));
    const gone = decide(situationOf(lease, { isRequestGone: () => true }));
    expect(isEnd(gone) || gone.do === "wait").toBe(true);
    expect(noted(gone) ?? []).toEqual([]);
  });
});

describe("a Job that holds as a whole", () => {
  const JOB = { kind: "Job", name: "batch", uid: "job-1" } as const;
  const jobWith = (
    conditions: object[],
    annotations = { [ANNOTATION.gate]: "job", [ANNOTATION.once]: KEY },
  ) =>
    parseJob({
      metadata: { namespace: "ns", name: "batch", uid: "job-1", labels: { [LEASE_LABEL]: "nightly" } },
      spec: { template: { metadata: { labels: { [LEASE_LABEL]: "nightly" }, annotations } } },
      status: { conditions: conditions.map((condition) => ({ status: "True", ...condition })) },
    });
  const COMPLETE = jobWith([{ type: "Complete" }]);
  const podRef = { kind: "Pod", name: "run-1", uid: "pod-1", releasing: false, gateRun: "b/1" } as const;
  const passed = podThat({ phase: "Running" }, { main: "running" });
  const message = passMessage(TOKEN, "b/1");
  const running: PodView = { ...passed, gate: { ...passed.gate, message } as PodView["gate"] & {} };
  const under = (job: ReturnType<typeof jobWith> | undefined, hold: Partial<Hold>) =>
    decide(
      situation(undefined, {
        hold: { ref: JOB, holder: "batch", pods: [podRef], ...hold },
        evidenceOf: ({ kind }) => {
          if (kind === "Pod") return { is: "present", pod: running };
          return job ? { is: "job", job } : { is: "gone", isFinal: false, nodeOutOfService: false };
        },
      }),
    );

  test("is done when its controller says that it is Complete, and all of its pods have ended", () => {
    expect(noted(under(COMPLETE, { pods: [] }))).toEqual([
      { key: KEY, holder: "batch", token: TOKEN, timeMs: NOW_MS },
    ]);
    expect(noted(under(jobWith([{ type: "Failed" }]), { pods: [] }))).toEqual([]);
  });

  test("is remembered as succeeded while pods of it may run, because the Job may be gone by their end", () => {
    expect(under(COMPLETE, {})).toMatchObject({
      do: "write",
      why: "Succeeded",
      status: { hold: { succeeded: true } },
    });
    expect(noted(under(undefined, { succeeded: true, pods: [] }))).toHaveLength(1);
    expect(noted(under(undefined, { pods: [] }))).toEqual([]);
  });

  test("is not done when it is Complete after its hold has expired, since konductor stops its pods then", () => {
    expect(noted(under(COMPLETE, { pods: [], expired: true }))).toEqual([]);
    expect(noted(under(COMPLETE, { pods: [], expired: true, succeeded: true }))).toHaveLength(1);
  });

  test("is done if it had succeeded before its hold was revoked because its last pods do not start", () => {
    expect(noted(under(undefined, { pods: [], revoked: "NotStarted", succeeded: true }))).toHaveLength(1);
    expect(noted(under(undefined, { pods: [], revoked: "Forced", succeeded: true }))).toEqual([]);
    expect(noted(under(COMPLETE, { pods: [], revoked: "NotStarted" }))).toEqual([]);
    expect(under(COMPLETE, { revoked: "NotStarted" })).not.toMatchObject({ why: "Succeeded" });
  });

  test("is done when its controller says that it will be Complete, which comes first", () => {
    const met = jobWith([{ type: "SuccessCriteriaMet", reason: "CompletionsReached" }]);
    expect(noted(under(met, { pods: [] }))).toHaveLength(1);
  });

  test.each(["LeaseHeld", "AlreadyDone"])("has not succeeded if konductor had it end: %s", (reason) => {
    const ended = jobWith([
      { type: "SuccessCriteriaMet", reason },
      { type: "Complete", reason },
    ]);
    expect(ended.hasSucceeded).toBe(false);
    expect(COMPLETE.hasSucceeded).toBe(true);
  });
});

describe("what is remembered", () => {
  test(`is the last ${DONE_REMEMBERED}, each key once`, () => {
    let lease = aLease();
    for (let token = 1; token <= DONE_REMEMBERED + 5; token++) {
      const hold = aHold({ token, once: `key-${token % (DONE_REMEMBERED + 2)}`, holder: `run-${token}` });
      lease = aLease(endHold(aLease({ ...lease.status, hold }), "Terminated", NOW_MS, true));
    }
    const keys = lease.status.done?.map(({ key }) => key) ?? [];
    expect(keys).toHaveLength(DONE_REMEMBERED);
    expect(new Set(keys).size).toBe(DONE_REMEMBERED);
    expect(lease.status.done?.[0]).toMatchObject({ holder: `run-${DONE_REMEMBERED + 5}` });
  });

  test("is stored and read again, with the key of the hold", () => {
    const lease = held({ once: KEY, succeeded: true });
    const status = { ...lease.status, done: [DONE] };
    const read = parseLease({ metadata: {}, spec: {}, status: formatLeaseStatus(lease, status, NOW_MS) });
    expect(read.status).toMatchObject({ done: [DONE], hold: { once: KEY, succeeded: true } });
  });

  test("names the key that its request asked for", () => {
    const grant = { request: waiter("a", KEY), ref: aHold().ref, token: 8, ttlMs: 1_000 };
    expect(grantHold(aLease().status, grant, NOW_MS).hold).toMatchObject({ once: KEY, token: 8 });
  });
});

test.each([
  ["schema-v42", true],
  ["A", true],
  ["a".repeat(63), true],
  ["a".repeat(64), false],
  ["", false],
  ["-a", false],
  ["a-", false],
  ["a b", false],
  ["a/b", false],
  ["a\n", false],
])("%j may be a key: %s", (key, isSo) => {
  expect(isOnceKey(key)).toBe(isSo);
});
