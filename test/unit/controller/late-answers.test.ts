/**
 * The answer of the API server comes late, and says what was true when it was given. Or the arbiter is paused, and goes on beside its successor:
 * then its own caches show nothing of what happened meanwhile, as if their watches were stalled.
 */
import { describe, expect, test } from "vitest";
import { parseJob } from "../../../src/lease/job.ts";
import type { LeaseStatus } from "../../../src/lease/types.ts";
import { record } from "../../../src/shared/json.ts";
import { ANNOTATION, FORGET_ANNOTATION, RESUMED_ANNOTATION } from "../../../src/shared/names.ts";
import { microTime } from "../../../src/shared/times.ts";
import { aHold, NOW_MS } from "../lease/samples.ts";
import { jobObject, leaseObject, podObject, requestObject } from "./objects.ts";
import { stageArbiter } from "./staged-arbiter.ts";

const LATE_MS = 9_000;
const MEANWHILE_MS = 5_000;
const AFTER_MS = 12_000;

const JOB = { name: "batch", uid: "job-1" };
const REF = { kind: "Job", ...JOB } as const;
const KEY = "schema-v42";
const running = jobObject(JOB.name, JOB.uid, { suspend: false });
const waiting = jobObject(JOB.name, JOB.uid);
const heldAnew = leaseObject({
  hold: aHold({ holder: "batch", ref: REF, pods: [], token: 42 }),
  lastToken: 42,
});
const heldByOther = leaseObject({ hold: aHold({ token: 42 }), lastToken: 42 });

/** The Job with these annotations: `own` ones, or of its pods. */
function annotated(job: object, { own = {}, ofPods = {} }: { own?: object; ofPods?: object }) {
  const { metadata, spec } = { ...{ metadata: {}, spec: {} }, ...job };
  const template = record(record(record(spec)["template"])["metadata"]);
  const annotations = { ...record(record(metadata)["annotations"]), ...own };
  const annotationsOfPods = { ...record(template["annotations"]), ...ofPods };
  return {
    ...job,
    metadata: { ...metadata, annotations },
    spec: { ...spec, template: { metadata: { ...template, annotations: annotationsOfPods } } },
  };
}
const resumed = annotated(running, { own: { [RESUMED_ANNOTATION]: "42" } });

interface Story {
  objects: Record<string, object[]>;
  /** The answers to these calls come late if they are made in the first second. */
  late?: string;
  /** What happens before they arrive; another arbiter does it, of which this one's caches show nothing, if `isByOther`. */
  meanwhile: Record<string, object>;
  isByOther?: boolean;
}

/** The arbiter after all of this, and the Job as it was `before` the answers came, and afterwards. */
async function played({ objects, late = "get leases", meanwhile, isByOther = false }: Story) {
  const stage = stageArbiter({
    objects,
    stalled: isByOther ? ["leases", "jobs", "pods", "leaserequests"] : [],
    fault: (what) => (what === late && stage.clock.monotonicMs() - startMs < 1_000 ? LATE_MS : undefined),
  });
  const startMs = stage.clock.monotonicMs();
  await stage.clock.turn(MEANWHILE_MS);
  for (const [plural, object] of Object.entries(meanwhile)) stage.put(plural, object);
  const before = stage.stored("jobs", JOB.name);
  await stage.clock.turn(AFTER_MS - MEANWHILE_MS);
  await stage.end();
  return { stage, before, job: stage.stored("jobs", JOB.name) };
}

const member = { ...aHold().ref, kind: "Pod" as const, name: "a", uid: "pod-a", releasing: false };
const expired = aHold({ holder: "batch", ref: REF, pods: [member], expired: true });
const podOfJob = (canFence: boolean) =>
  podObject("a", "pod-a", { gate: "job", isRunning: true, canFence, job: JOB });
const nodes = [{ metadata: { name: "node-1", uid: "n" } }];

describe("a Job that was suspended, granted the klease anew and resumed meanwhile is not suspended", () => {
  test.each<[string, Partial<LeaseStatus>]>([
    ["although its hold before had expired", { hold: expired }],
    ["although it held nothing", {}],
  ])("%s", async (_, status) => {
    const { before, job } = await played({
      objects: { nodes, leases: [leaseObject(status)], jobs: [running], pods: [podOfJob(false)] },
      meanwhile: { leases: heldAnew, jobs: resumed },
      isByOther: true,
    });
    expect(job).toEqual(before);
  });

  test("although its hold before had expired, by the same arbiter", async () => {
    const { stage } = await played({
      objects: {
        ...{ nodes, leases: [leaseObject({ hold: expired })], jobs: [running], pods: [podOfJob(true)] },
      },
      meanwhile: {},
    });
    expect(stage.lease().status.hold).toMatchObject({ ref: REF, token: 42 });
    expect(stage.calls.filter((call) => call === "patch jobs")).toHaveLength(2);
  });
});

test("a Job whose hold has ended meanwhile is not resumed", async () => {
  const { stage } = await played({
    objects: {
      leases: [leaseObject({ hold: aHold({ holder: "batch", ref: REF, pods: [] }) })],
      jobs: [waiting],
    },
    meanwhile: { leases: heldByOther },
  });
  expect(stage.calls).not.toContain("patch jobs");
});

test.each([
  ["by the same arbiter", false],
  ["by another arbiter", true],
])("a Job that runs since its work was forgotten is not ended as done: %s", async (_, isByOther) => {
  const done = leaseObject({ done: [{ key: KEY, holder: "first", token: 41, timeMs: NOW_MS - 60_000 }] });
  const forget = { [FORGET_ANNOTATION]: JSON.stringify({ key: KEY, token: 41, by: "alice" }) };
  const ofPods = { [ANNOTATION.once]: KEY };
  const { job } = await played({
    objects: {
      leases: [done],
      jobs: [annotated(waiting, { ofPods })],
      leaserequests: [
        requestObject(
          "nightly-batch",
          "request-2",
          { once: KEY, holderRef: REF },
          { phase: "Denied", reason: "AlreadyDone" },
        ),
      ],
    },
    meanwhile: isByOther
      ? { leases: heldAnew, jobs: annotated(resumed, { ofPods }) }
      : { leases: { ...done, metadata: { ...done.metadata, annotations: forget } } },
    isByOther,
  });
  expect(parseJob(job)).toMatchObject({ over: false, suspended: false });
});

test("a Job that holds since it was counted as skipped is not ended", async () => {
  const ofPods = { [ANNOTATION.ifHeld]: "skip" };
  const { job } = await played({
    objects: {
      leases: [leaseObject({ hold: aHold() })],
      pods: [podObject("run-1", "pod-1", { isRunning: true, canFence: true })],
      jobs: [annotated(waiting, { ofPods })],
      leaserequests: [
        requestObject(
          "nightly-batch",
          "request-2",
          { holderRef: REF },
          { phase: "Denied", reason: "Skipped" },
        ),
      ],
    },
    late: "replaceStatus leases",
    meanwhile: { leases: heldAnew, jobs: annotated(resumed, { ofPods }) },
    isByOther: true,
  });
  expect(parseJob(job)).toMatchObject({ over: false, suspended: false });
});

test("a pod that was granted the klease meanwhile is not deleted for a hold of a deleted one", async () => {
  const pod = podObject("run-1", "pod-1", { isRunning: true });
  const { stage } = await played({
    objects: { leases: [{ ...leaseObject({}), status: {} }], pods: [pod] },
    meanwhile: { leases: heldByOther, pods: pod },
    isByOther: true,
  });
  expect(record(stage.stored("pods", "run-1"))["metadata"]).not.toHaveProperty("deletionTimestamp");
});

test("a pod whose hold has ended meanwhile is not scheduled", async () => {
  const ref = { kind: "Pod", name: "gated", uid: "pod-9" } as const;
  const { stage } = await played({
    objects: {
      leases: [leaseObject({ hold: aHold({ ref, confirmed: false }) })],
      pods: [podObject("gated", "pod-9", { gate: "scheduling", gated: true })],
    },
    late: "get pods",
    meanwhile: { leases: heldByOther },
  });
  expect(stage.calls).not.toContain("patch pods");
});

test("a client that was granted the klease meanwhile keeps its request, although its time to wait is over", async () => {
  const waiter = requestObject("waiter", "uid-of-waiter", { waitUntil: microTime(NOW_MS - 1_000) });
  const ref = { kind: "LeaseRequest", name: "waiter", uid: "uid-of-waiter" } as const;
  const { stage } = await played({
    objects: {
      leases: [leaseObject({ hold: aHold() })],
      pods: [podObject("run-1", "pod-1", { isRunning: true, canFence: true })],
      leaserequests: [waiter],
    },
    meanwhile: {
      leases: leaseObject({ hold: aHold({ ref, token: 42 }), lastToken: 42, lastRequest: "uid-of-waiter" }),
    },
  });
  expect(stage.holder()).toBe("uid-of-waiter");
});
