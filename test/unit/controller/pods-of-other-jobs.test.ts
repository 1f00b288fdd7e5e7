/** Pods that name Jobs which do not ask for the same, or are over: each look at the Lease would cost calls for each of them. */
import { expect, test } from "vitest";
import type { DoneWork } from "../../../src/lease/types.ts";
import { record } from "../../../src/shared/json.ts";
import { ANNOTATION, LEASE_LABEL } from "../../../src/shared/names.ts";
import { aHold, NOW_MS } from "../lease/samples.ts";
import { leaseObject, podObject, requestObject } from "./objects.ts";
import { stageArbiter } from "./staged-arbiter.ts";

const PODS = ["a", "b", "c"];
const SOON_MS = 5_000;
const LOOKS = 5;
const DONE: DoneWork = { key: "schema", holder: "first", token: 40, timeMs: NOW_MS - 60_000 };

type Json = Record<string, unknown>;

const ownerOf = (name: string) => ({ name: `job-${name}`, uid: `uid-of-job-${name}` });

/** A Job that nothing is known of but by live looks: it does not carry the label itself. */
function hiddenJob(name: string, annotations: object, change: object = {}): Json {
  const owner = ownerOf(name);
  return {
    metadata: { namespace: "ns", ...owner, labels: {}, annotations: {} },
    spec: { suspend: false, template: { metadata: { labels: { [LEASE_LABEL]: "nightly" }, annotations } } },
    status: {},
    ...change,
  };
}

function podOf(name: string, annotations: object): Json {
  const pod: Json = podObject(`pod-${name}`, `uid-of-pod-${name}`, { job: ownerOf(name), gated: true });
  const metadata = record(pod["metadata"]);
  return {
    ...pod,
    metadata: { ...metadata, annotations: { ...record(metadata["annotations"]), ...annotations } },
  };
}

const deniedOf = (name: string, reason: string, spec: object = {}) =>
  requestObject(
    `request-${name}`,
    `uid-of-request-${name}`,
    { holderRef: { kind: "Pod", name: `pod-${name}`, uid: `uid-of-pod-${name}` }, ...spec },
    { phase: "Denied", reason },
  );

const ref = { kind: "LeaseRequest", name: "holds", uid: "uid-of-holds" } as const;
const hold = aHold({ holder: "ci", ref, ttlMs: 3_600_000 });
const holds = requestObject(ref.name, ref.uid, {}, { phase: "Granted", token: hold.token });
const lease = leaseObject({ hold, lastToken: hold.token, done: [DONE] }, { ttl: "1h" });

interface Vain {
  pods: Json[];
  jobs?: Json[];
  requests?: object[];
}

/** Somebody holds the klease. */
function stage({ pods, jobs = [], requests = [] }: Vain) {
  const objects = { leases: [lease], pods, leaserequests: [holds, ...requests] };
  const staged = stageArbiter({ objects, stalled: ["jobs"] });
  for (const job of jobs) staged.put("jobs", job);
  const looks = () => staged.calls.filter((what) => what === "get jobs" || what === "list pods").length;
  return {
    ...staged,
    looks,
    /** Has the Lease looked at a few times. */
    async lookAgain() {
      for (let times = 0; times < LOOKS; times++) {
        staged.put("leases", staged.stored("leases", "nightly") ?? {});
        await staged.clock.turn(1);
      }
    },
  };
}

const OVER = { status: { conditions: [{ type: "Failed", status: "True" }] } };
const whole = { [ANNOTATION.gate]: "job" };
const skip = { [ANNOTATION.ifHeld]: "skip" };
const once = { [ANNOTATION.once]: DONE.key };
const skipped = (jobs: Json[]) => ({
  pods: PODS.map((name) => podOf(name, skip)),
  jobs,
  requests: PODS.map((name) => deniedOf(name, "Skipped")),
});
const done = (jobs: Json[]) => ({
  pods: PODS.map((name) => podOf(name, once)),
  jobs,
  requests: PODS.map((name) => deniedOf(name, "AlreadyDone", { once: DONE.key })),
});
const waiting = (jobs: Json[]) => ({ pods: PODS.map((name) => podOf(name, whole)), jobs });
const hidden = (annotations: object, change?: object) =>
  PODS.map((name) => hiddenJob(name, annotations, change));

test.each<[string, Vain]>([
  ["wait for Jobs that are gone", waiting([])],
  ["wait for Jobs that do not wait as a whole", waiting(hidden({}))],
  ["wait for Jobs that are over", waiting(hidden(whole, OVER))],
  ["were skipped, and their Jobs are gone", skipped([])],
  ["were skipped, and their Jobs do not ask for that", skipped(hidden({}))],
  ["were skipped, and their Jobs are over", skipped(hidden(skip, OVER))],
  ["are to end as done, and their Jobs are gone", done([])],
  ["are to end as done, and their Jobs do not ask for that", done(hidden({}))],
  ["are to end as done, and their Jobs are over", done(hidden(once, OVER))],
])("calls are made only once for pods that %s", async (_, vain) => {
  const { until, looks, lookAgain, end } = stage(vain);
  await until(() => looks() >= PODS.length, SOON_MS);
  const first = looks();
  expect(first).toBeGreaterThanOrEqual(PODS.length);
  await lookAgain();
  expect(looks()).toBe(first);
  await end();
});

const suspended = (annotations: object) =>
  PODS.map((name) => {
    const job = hiddenJob(name, annotations);
    return { ...job, spec: { ...record(job["spec"]), suspend: true } };
  });

test.each<[string, Vain, (job: Json) => boolean]>([
  ["wait for", waiting(suspended(whole)), (job) => record(job["spec"])["suspend"] === true],
  ["were skipped with", skipped(suspended(skip)), isEnding],
  ["are to end as done with", done(suspended(once)), isEnding],
])(
  "pods that %s Jobs which others suspend rest, and are seen to when these are resumed",
  async (_, vain, isSeenTo) => {
    const { clock, until, looks, lookAgain, stored, put, end } = stage(vain);
    await until(() => looks() >= PODS.length, SOON_MS);
    await clock.turn(60_000);
    const first = looks();
    await lookAgain();
    expect(looks()).toBe(first);
    const all = () => PODS.map((name) => stored("jobs", ownerOf(name).name) ?? {});
    for (const job of all()) {
      const { suspend, ...spec } = record(job["spec"]);
      put("jobs", { ...job, spec });
    }
    await until(() => all().every(isSeenTo), 60_000);
    expect(all().every(isSeenTo)).toBe(true);
    await end();
  },
);

test.each<[string, Vain, object, (job: Json) => boolean]>([
  ["to wait", waiting(hidden({})), whole, (job) => record(job["spec"])["suspend"] === true],
  ["to be skipped", skipped(hidden({})), skip, isEnding],
  ["to end as done", done(hidden({})), once, isEnding],
])("a Job that runs, and asks %s later, is seen to in time", async (_, vain, annotations, isSeenTo) => {
  const { clock, until, looks, lookAgain, stored, put, end } = stage(vain);
  await until(() => looks() >= PODS.length, SOON_MS);
  for (const name of PODS) put("jobs", hiddenJob(name, annotations));
  await clock.turn(600_000);
  await lookAgain();
  const all = () => PODS.map((name) => stored("jobs", ownerOf(name).name) ?? {});
  await until(() => all().every(isSeenTo), 60_000);
  expect(all().every(isSeenTo)).toBe(true);
  await end();
});

function isEnding(job: Json): boolean {
  return record(job["status"])["conditions"] !== undefined;
}

test("a pod that names a Job by a wrong name does not keep it from being found", async () => {
  const [name = "", wrong = ""] = PODS;
  const job = hiddenJob(name, whole);
  const pods = [podOf(name, whole), podOf(wrong, whole)].map((pod) => {
    const metadata = record(pod["metadata"]);
    const owner = { apiVersion: "batch/v1", kind: "Job", controller: true };
    const isWrong = metadata["name"] === `pod-${wrong}`;
    const named = { ...ownerOf(name), ...(isWrong && { name: "other" }) };
    return { ...pod, metadata: { ...metadata, ownerReferences: [{ ...owner, ...named }] } };
  });
  const { until, stored, end } = stage({ pods, jobs: [job] });
  const isSuspended = () => record(stored("jobs", ownerOf(name).name)?.["spec"])["suspend"] === true;
  await until(isSuspended, SOON_MS);
  expect(isSuspended()).toBe(true);
  await end();
});
