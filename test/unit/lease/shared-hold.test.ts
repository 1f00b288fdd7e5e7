/** The hold of a Job, which its pods share (`gate: job`): who may join, renew and leave it, and what the arbiter does meanwhile. */
import { describe, expect, test } from "vitest";
import { decide } from "../../../src/lease/decide.ts";
import type { HolderWishes, HoldTimers } from "../../../src/lease/decision.ts";
import type { Evidence } from "../../../src/lease/evidence.ts";
import { endHold, holdOf, markReleasing, removeMember } from "../../../src/lease/hold.ts";
import { renewHold } from "../../../src/lease/hold-renewal.ts";
import { type JobView, parseJob, waitsAsWhole } from "../../../src/lease/job.ts";
import type { Hold, HolderPod, LeaseSpec } from "../../../src/lease/types.ts";
import { ANNOTATION, LEASE_LABEL, passMessage, SUSPENDED_ANNOTATION } from "../../../src/shared/names.ts";
import { createPod, statusOf } from "./pod-fixture.ts";
import { aHold, held, JUST_NOW, NOW_MS, situationOf } from "./samples.ts";

const TOKEN = aHold().token;
const JOB = { kind: "Job", name: "batch", uid: "job-1" } as const;
const STARTS_WITHIN_MS = 600_000;

function member(name: string, change: Partial<HolderPod> = {}): HolderPod {
  return {
    kind: "Pod",
    name,
    uid: `uid-of-${name}`,
    graceSeconds: 30,
    selfFencing: true,
    releasing: false,
    gateRun: "b/1",
    ...change,
  };
}

const shared = (change: Partial<Hold> = {}, spec: Partial<LeaseSpec> = {}) =>
  held({ holder: JOB.name, ref: JOB, renewals: 0, pods: [member("a")], ...change }, spec);

function call(name: string, change: Partial<Parameters<typeof renewHold>[1]> = {}) {
  const { gateRun: _, releasing: __, ...pod } = member(name);
  const claim = { uid: pod.uid, token: TOKEN, countedTtlMs: 60_000, wantedTtlMs: 60_000, renew: true };
  return { ...claim, shared: { job: JOB, pod }, ...change };
}

describe("a pod of the Job", () => {
  test("is added to the list by the write that confirms it", () => {
    const joined = renewHold(shared(), call("b", { gateRun: "b/2" }), NOW_MS);
    expect(joined).toMatchObject({
      ok: true,
      hold: { pods: [member("a"), member("b", { gateRun: "b/2" })] },
    });
  });

  test("is listed once, with its latest run, when it joins again", () => {
    const again = renewHold(shared(), call("a", { gateRun: "b/2" }), NOW_MS);
    expect(again).toMatchObject({ hold: { pods: [member("a", { gateRun: "b/2" })] } });
  });

  test("renews while it is on the list, even when it has lost its owner", () => {
    const renewed = renewHold(shared({ pods: [member("a", { releasing: true })] }), call("a"), NOW_MS);
    expect(renewed).toMatchObject({ ok: true, hold: { renewals: 1, pods: [member("a")] } });
    const { pod } = call("a").shared;
    expect(renewHold(shared(), { ...call("a"), shared: { pod } }, NOW_MS)).toMatchObject({ ok: true });
  });

  test.each<[string, Partial<Hold>, Partial<LeaseSpec>, ReturnType<typeof call>, string]>([
    ["that renews without being on the list", {}, {}, call("b"), "NotHolder"],
    [
      "of another Job",
      {},
      {},
      call("b", { gateRun: "b/2", shared: { ...call("b").shared, job: { uid: "job-2" } } }),
      "NotHolder",
    ],
    [
      "that has no Job",
      {},
      {},
      call("b", { gateRun: "b/2", shared: { pod: call("b").shared.pod } }),
      "NotHolder",
    ],
    ["under an earlier token", {}, {}, call("b", { gateRun: "b/2", token: TOKEN - 1 }), "NotHolder"],
    [
      "that joins while the hold is being ended",
      { revoked: "NotStarted" },
      {},
      call("b", { gateRun: "b/2" }),
      "NotHolder",
    ],
    [
      "that joins when the hold has expired",
      { expired: true },
      {},
      call("b", { gateRun: "b/2" }),
      "NotHolder",
    ],
    [
      "that joins second where nobody can renew",
      {},
      { renewable: false },
      call("b", { gateRun: "b/2" }),
      "NotRenewable",
    ],
    ["that joins after max-hold", {}, {}, call("b", { gateRun: "b/2", maxHoldMs: 10_000 }), "MaxHold"],
  ])("%s is refused", (_, hold, spec, renewal, reason) => {
    expect(renewHold(shared(hold, spec), renewal, NOW_MS)).toEqual({ ok: false, reason });
  });

  test("may join first where nobody can renew, and may repeat that call", () => {
    const first = renewHold(
      shared({ confirmed: false, pods: [] }, { renewable: false }),
      call("a", { gateRun: "b/1" }),
      NOW_MS,
    );
    expect(first).toMatchObject({ ok: true, hold: { confirmed: true, renewals: 0 } });
    const again = renewHold(shared({}, { renewable: false }), call("a", { gateRun: "b/1" }), NOW_MS);
    expect(again).toMatchObject({ ok: true, hold: { renewals: 0 } });
  });

  test("never makes the ttl shorter, since another pod may count on the longer ttl", () => {
    const renewal = call("a", { countedTtlMs: 15_000, wantedTtlMs: 15_000 });
    expect(renewHold(shared({ ttlMs: 60_000 }), renewal, NOW_MS)).toMatchObject({
      hold: { ttlMs: 60_000, expiresMs: NOW_MS + 60_000 },
    });
  });

  test("is refused a delayed confirmation by an earlier run of its gate", () => {
    const lease = shared({ pods: [member("a", { gateRun: "b/2" })] });
    expect(renewHold(lease, call("a", { gateRun: "b/1" }), NOW_MS)).toEqual({
      ok: false,
      reason: "NotHolder",
    });
  });

  test("joins again after its node was rebooted, when the order of the runs is unknown", () => {
    const again = renewHold(shared(), call("a", { gateRun: "c/1" }), NOW_MS);
    expect(again).toMatchObject({ ok: true, hold: { pods: [member("a", { gateRun: "c/1" })] } });
  });

  test("is refused a renewal by the keeper of an earlier run", () => {
    const lease = shared({ pods: [member("a", { gateRun: "b/20" })] });
    expect(renewHold(lease, call("a", { keeperSince: "b/19" }), NOW_MS)).toEqual({
      ok: false,
      reason: "NotHolder",
    });
    expect(renewHold(lease, call("a", { keeperSince: "b/21" }), NOW_MS)).toMatchObject({
      hold: { pods: [member("a", { gateRun: "b/20", keeperSince: "b/21" })] },
    });
  });

  test("counts as running when a later run joins, whatever the earlier run's keeper said", () => {
    const lease = shared({ pods: [member("a", { gateRun: "b/1", keeperSince: "b/5", releasing: true })] });
    expect(renewHold(lease, call("a", { gateRun: "b/6" }), NOW_MS)).toMatchObject({
      hold: { pods: [member("a", { gateRun: "b/6" })] },
    });
  });

  test("keeps its known node", () => {
    const lease = shared({ pods: [member("a", { node: "node-1" })] });
    expect(renewHold(lease, call("a"), NOW_MS)).toMatchObject({ hold: { pods: [{ node: "node-1" }] } });
  });

  test("ends without ending the others", () => {
    const { status } = shared({ pods: [member("a"), member("b")] });
    expect(markReleasing(status, { uid: "uid-of-b" }, NOW_MS).hold).toMatchObject({
      releasing: false,
      pods: [member("a"), member("b", { releasing: true })],
    });
    expect(removeMember(status, "uid-of-b").hold?.pods).toEqual([member("a")]);
    expect(holdOf(shared(), { uid: "uid-of-b", token: TOKEN })).toBeUndefined();
  });
});

const waiting: JobView = parseJob({
  metadata: {
    ...{ namespace: "ns", name: JOB.name, uid: JOB.uid },
    annotations: { [SUSPENDED_ANNOTATION]: "true" },
  },
  spec: { suspend: true, template: { metadata: { annotations: { [ANNOTATION.gate]: "job" } } } },
});
const running = (change: Partial<JobView> = {}): Evidence => ({
  is: "job",
  job: { ...waiting, marked: false, suspended: false, ...change },
});
const GONE: Evidence = { is: "gone", isFinal: true, nodeOutOfService: false };

/** Evidence of a listed pod, whose main runs unless `ended`. */
function podEvidence({ ended = false, run = "b/1", isWaiting = false } = {}): Evidence {
  const started = {
    gate: "passed",
    token: TOKEN,
    gateRun: run,
    gateFinishedMs: 1_000,
    ...(!isWaiting && { mainStartedMs: 2_000 }),
  } as const;
  const pod = {
    ...createPod(0, { selfFencing: true, restartPolicy: "Never" }, JOB),
    ...started,
    main: isWaiting ? "waiting" : ended ? "ended" : "running",
    keeper: "running",
    ...(ended && { mainExit: 0 }),
  } as const;
  const view = statusOf(pod);
  return {
    is: "present",
    pod: { ...view, ...(view.gate && { gate: { ...view.gate, message: passMessage(TOKEN, run) } }) },
  };
}

interface Case {
  job: Evidence;
  pods?: Evidence;
  hold?: Partial<Hold>;
  timers?: Partial<HoldTimers>;
  wishes?: Partial<HolderWishes>;
  spec?: Partial<LeaseSpec>;
}

function decided({ job, pods = podEvidence(), hold = {}, timers = {}, wishes = {}, spec = {} }: Case) {
  const situation = situationOf(shared(hold, spec), {
    evidenceOf: ({ kind }) => (kind === "Job" ? job : pods),
    timers: { ...JUST_NOW, ...timers },
    wishes: { startTimeoutMs: STARTS_WITHIN_MS, continueOnLoss: false, ...wishes },
  });
  return decide(situation);
}

const ended = podEvidence({ ended: true });
const usersPause = running({ suspended: true });
const over = running({ over: true });
const UNFENCED = { expired: true, pods: [member("a", { selfFencing: false })] };

describe("the arbiter", () => {
  test.each<[string, Case, object]>([
    ["looks for a Job that it does not see", { job: { is: "unknown" } }, { do: "look", at: JOB }],
    [
      "looks for a pod that it does not see",
      { job: over, pods: { is: "unknown" } },
      { do: "look", at: { name: "a" } },
    ],
    ["resumes what it has suspended", { job: { is: "job", job: waiting } }, { do: "resume", ref: JOB }],
    ["does not resume what a user has suspended", { job: usersPause }, { do: "wait" }],
    [
      "waits while a pod is at work",
      { job: running(), timers: { idleForMs: STARTS_WITHIN_MS } },
      { do: "wait" },
    ],
    [
      "removes a pod from the list once its main has ended",
      { job: running(), pods: ended },
      { why: "PodEnded", status: { hold: { pods: [] } } },
    ],
    [
      "does not remove it because of an earlier run's status",
      { job: running(), pods: podEvidence({ ended: true, run: "b/0" }) },
      { do: "wait" },
    ],
    [
      "renews while no keeper runs",
      { job: running(), hold: { pods: [] }, timers: { silentForMs: 20_000 } },
      { why: "Renewed", status: { hold: { expiresMs: NOW_MS + 60_000 } } },
    ],
    [
      "gives up a Job that is not at work in time",
      { job: running(), hold: { pods: [] }, timers: { idleForMs: STARTS_WITHIN_MS } },
      { why: "Revoked", status: { hold: { revoked: "NotStarted" } } },
    ],
    [
      "suspends a Job that it gave up, before it waits for the pods that are left",
      { job: running(), hold: { revoked: "NotStarted" } },
      { do: "suspend", ref: JOB },
    ],
    [
      "ends the hold of a given-up Job without pods, whether or not it can be suspended",
      { job: running(), hold: { pods: [], revoked: "NotStarted" } },
      { why: "NotStarted", status: { history: [{ reason: "NotStarted" }] } },
    ],
    [
      "gives up orphaned pods that are not at work in time",
      {
        job: GONE,
        pods: podEvidence({ run: "b/0", isWaiting: true }),
        timers: { idleForMs: STARTS_WITHIN_MS },
      },
      { why: "Revoked", status: { hold: { revoked: "NotStarted" } } },
    ],
    [
      "ends a hold that nobody may join any more: after max-hold",
      { job: running(), hold: { pods: [] }, wishes: { maxHoldMs: 10_000 } },
      { why: "Expiring", status: { hold: { expired: true } } },
    ],
    [
      "ends a hold that nobody may join any more: of a Lease that cannot be renewed",
      { job: running(), hold: { pods: [] }, spec: { renewable: false } },
      { why: "Expiring" },
    ],
    [
      "waits for the first pod of a Lease that cannot be renewed",
      { job: running(), hold: { pods: [], confirmed: false }, spec: { renewable: false } },
      { do: "wait" },
    ],
    [
      "suspends a Job whose hold has expired",
      { job: running(), hold: { expired: true } },
      { do: "suspend", ref: JOB },
    ],
    [
      "leaves the pods of a suspended Job to the Job controller",
      { job: { is: "job", job: waiting }, hold: UNFENCED, timers: { expiredForMs: 4_999 } },
      { do: "wait" },
    ],
    [
      "deletes them itself where they still exist after a while",
      { job: { is: "job", job: waiting }, hold: UNFENCED, timers: { expiredForMs: 5_000 } },
      { do: "deletePod", ref: { name: "a" } },
    ],
    [
      "deletes them at once where the Job is over",
      { job: over, hold: UNFENCED },
      { do: "deletePod", ref: { name: "a" } },
    ],
    [
      "says that all keepers are silent",
      { job: running(), timers: { silentForMs: 62_000 } },
      { why: "Expiring", status: { hold: { expired: true } } },
    ],
    ["waits for pods of a Job that is over", { job: over }, { do: "wait" }],
    ["waits for pods whose Job is gone", { job: GONE }, { do: "wait" }],
    [
      "deletes pods whose Job is gone where the hold was revoked",
      { job: GONE, hold: { revoked: "NotStarted" } },
      { do: "deletePod", ref: { name: "a" } },
    ],
  ])("%s", (_, given, step) => {
    expect(decided(given)).toMatchObject(step);
  });

  test.each<[string, Case, string]>([
    ["its Job is over", { job: over, pods: ended }, "Terminated"],
    ["its Job is gone", { job: GONE, hold: { pods: [] } }, "Terminated"],
    ["its Job is being deleted", { job: running({ deletionMs: 1 }), pods: ended }, "Terminated"],
    ["its user has suspended it", { job: usersPause, pods: ended }, "Suspended"],
    [
      "the Job was not at work in time",
      { job: { is: "job", job: waiting }, pods: ended, hold: { revoked: "NotStarted" } },
      "NotStarted",
    ],
    [
      "all keepers were silent but could fence",
      { job: { is: "job", job: waiting }, hold: { expired: true }, timers: { expiredForMs: 11_000 } },
      "Expired",
    ],
  ])("ends the hold when nothing may still run and %s", (_, given, reason) => {
    expect(decided(given)).toMatchObject({
      do: "write",
      why: reason,
      status: { history: [{ holder: JOB.name, reason }] },
    });
  });
});

test("what a Job wants is read from its immutable template, and only konductor's own marks from the Job's metadata", () => {
  const notes = { [SUSPENDED_ANNOTATION]: "true" };
  const object = {
    metadata: {
      name: "batch",
      uid: "job-1",
      labels: { [LEASE_LABEL]: "other" },
      annotations: { [ANNOTATION.gate]: "job", ...notes },
    },
    spec: { suspend: true, template: { metadata: { labels: { [LEASE_LABEL]: "nightly" } } } },
    status: {
      conditions: [
        { type: "Failed", status: "False" },
        { type: "FailureTarget", status: "True" },
      ],
    },
  };
  const read = parseJob(object);
  expect(read).toMatchObject({ lease: "nightly", labelled: true, suspended: true, over: true, marked: true });
  expect(waitsAsWhole(read)).toBe(false);
});

test("the end of a Job's hold leaves no pods in the status", () => {
  expect(endHold(shared(), "Terminated", NOW_MS)).not.toHaveProperty("hold");
});
