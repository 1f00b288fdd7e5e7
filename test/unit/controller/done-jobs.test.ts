/** Jobs whose work is done already end Complete without having run. The rest is shown by test/e2e/scenarios/once.ts. */
import { expect, test } from "vitest";
import type { EventReport } from "../../../src/kube/events.ts";
import { parseJob } from "../../../src/lease/job.ts";
import type { DoneWork } from "../../../src/lease/types.ts";
import { list, parseJson, record } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { ANNOTATION } from "../../../src/shared/names.ts";
import { aHold, NOW_MS } from "../lease/samples.ts";
import { jobObject, leaseObject, podObject, requestObject } from "./objects.ts";
import { stageArbiter } from "./staged-arbiter.ts";

const KEY = "schema-v42";
const DONE: DoneWork = { key: KEY, holder: "first", token: 41, timeMs: NOW_MS - 60_000 };
const SOON_MS = 5_000;
const JOB = { name: "migrate", uid: "job-1" };

type Json = Record<string, unknown>;

/** `object`, whose template or metadata asks for the work `key` once. */
function withKey(object: object, key: string): object {
  const given: Json = { ...object };
  const metadata = record(given["metadata"]);
  const annotated = (of: Json) => ({
    ...of,
    annotations: { ...record(of["annotations"]), [ANNOTATION.once]: key },
  });
  const template = record(record(given["spec"])["template"]);
  if (template["metadata"] === undefined) return { ...given, metadata: annotated(metadata) };
  const spec = { ...record(given["spec"]), template: { metadata: annotated(record(template["metadata"])) } };
  return { ...given, metadata, spec };
}

const plainJob = (key?: string) => {
  const job: Json = jobObject(JOB.name, JOB.uid, { suspend: false });
  const labels = record(record(job["metadata"])["labels"]);
  const plain = { ...job, spec: { template: { metadata: { labels, annotations: {} } } } };
  return key === undefined ? plain : withKey(plain, key);
};
const pod = withKey(podObject("migrate-a", "pod-a", { job: JOB }), KEY);
const requestOfPod = requestObject("nightly-a", "request-a", {
  holderRef: { kind: "Pod", name: "migrate-a", uid: "pod-a" },
  once: KEY,
});

const conditionOf = (job: unknown) => record(list(record(record(job)["status"])["conditions"])[0]);

async function outcome(
  objects: Record<string, object[]>,
  fault?: Parameters<typeof stageArbiter>[0]["fault"],
) {
  const stage = stageArbiter({ objects, ...(fault && { fault }) });
  const isOver = () => conditionOf(stage.stored("jobs", JOB.name))["type"] !== undefined;
  await stage.until(isOver, SOON_MS);
  const found = {
    condition: conditionOf(stage.stored("jobs", JOB.name)),
    request: stage.requests()[0]?.status,
    holder: stage.holder(),
  };
  await stage.end();
  return found;
}

test("the Job of a pod that waits is ended, which its condition and its request say", async () => {
  const objects = {
    leases: [leaseObject({ done: [DONE] })],
    ...{ pods: [pod], jobs: [plainJob(KEY)], leaserequests: [requestOfPod] },
  };
  const { condition, request, holder } = await outcome(objects);
  expect(condition).toMatchObject({ type: "SuccessCriteriaMet", status: "True", reason: "AlreadyDone" });
  expect(condition["message"]).toBe(
    '"schema-v42" is done already: by first at 2026-01-01T00:09:00Z, under token 41',
  );
  expect(request).toMatchObject({ phase: "Denied", reason: "AlreadyDone" });
  expect(holder).toBeUndefined();
});

test("the end of a Job is one line of the log", async () => {
  const lines: Json[] = [];
  const logger = createLogger({ destination: { write: (line) => void lines.push(record(parseJson(line))) } });
  const objects = {
    leases: [leaseObject({ done: [DONE] })],
    ...{ pods: [pod], jobs: [plainJob(KEY)], leaserequests: [requestOfPod] },
  };
  const stage = stageArbiter({ objects, logger });
  await stage.until(() => conditionOf(stage.stored("jobs", JOB.name))["type"] !== undefined, SOON_MS);
  await stage.end();
  expect(lines.filter(({ reason }) => reason === "AlreadyDone")).toMatchObject([
    {
      ...{ lease: "ns/nightly", request: "nightly-a", job: "migrate" },
      msg: expect.stringMatching(
        /^Job migrate was ended without having run: "schema-v42" is done already: by first/,
      ),
    },
  ]);
});

test("a Job that waits as a whole is ended, also if it has held before", async () => {
  const job = withKey(jobObject(JOB.name, JOB.uid), KEY);
  const metadata = record(record(job)["metadata"]);
  const annotations = { ...record(metadata["annotations"]), "konductor.io/resumed": "40" };
  const jobs = [{ ...job, metadata: { ...metadata, annotations } }];
  const { condition } = await outcome({ leases: [leaseObject({ done: [DONE] })], jobs });
  expect(condition).toMatchObject({ type: "SuccessCriteriaMet", reason: "AlreadyDone" });
});

test("an arbiter that has died after the denial is succeeded by one that ends the Job", async () => {
  const denied = { ...requestOfPod, status: { phase: "Denied", reason: "AlreadyDone" } };
  const objects = {
    leases: [leaseObject({ done: [DONE] })],
    ...{ pods: [pod], jobs: [plainJob(KEY)], leaserequests: [denied] },
  };
  expect((await outcome(objects)).condition).toMatchObject({ reason: "AlreadyDone" });
});

test.each<[string, object]>([
  ["asks for other work", plainJob("schema-v43")],
  ["does its work each time", plainJob()],
])("a pod cannot have a Job ended by naming it as its owner if the Job %s", async (_, job) => {
  const objects = {
    leases: [leaseObject({ done: [DONE] })],
    ...{ pods: [pod], jobs: [job], leaserequests: [requestOfPod] },
  };
  const { condition, holder } = await outcome(objects);
  expect(condition).toEqual({});
  expect(holder).toBeUndefined();
});

test("work that is not done is granted", async () => {
  const objects = {
    leases: [leaseObject({ done: [{ ...DONE, key: "schema-v41" }] })],
    ...{ pods: [pod], jobs: [plainJob(KEY)], leaserequests: [requestOfPod] },
  };
  const stage = stageArbiter({ objects });
  expect(await stage.until(() => stage.holder() === "pod-a", SOON_MS)).toBeLessThan(SOON_MS);
  expect(stage.lease().status.hold).toMatchObject({ once: KEY });
  await stage.end();
});

test("whoever is refused to end the Job is no reason to grant: it is tried again, and nobody holds", async () => {
  const objects = {
    leases: [leaseObject({ done: [DONE] })],
    ...{ pods: [pod], jobs: [plainJob(KEY)], leaserequests: [requestOfPod] },
  };
  const { condition, holder, request } = await outcome(objects, (what) =>
    what === "patch jobs" ? "refused" : undefined,
  );
  expect({ condition, holder, reason: request?.reason }).toEqual({
    condition: {},
    holder: undefined,
    reason: "AlreadyDone",
  });
});

test.each<[string, object, object]>([
  [
    "forgotten",
    { "konductor.io/forget": `{"key":"${KEY}","token":41,"by":"ada"}` },
    leaseObject({ done: [DONE, { ...DONE, key: "seed", token: 40 }] }),
  ],
  [
    "restored",
    {
      "konductor.io/done": JSON.stringify({
        token: 41,
        done: [{ ...DONE, key: "seed", time: new Date(DONE.timeMs).toISOString() }],
      }),
    },
    { ...leaseObject({}), status: {} },
  ],
])("what is %s by an annotation is written into the status soon", async (_, annotations, lease) => {
  const object: Json = { ...lease };
  const metadata = { ...record(object["metadata"]), annotations };
  const stage = stageArbiter({ objects: { leases: [{ ...object, metadata }] } });
  const keys = () =>
    list(record(record(stage.stored("leases", "nightly"))["status"])["done"]).map(
      (work) => record(work)["key"],
    );
  await stage.until(() => keys().join() === "seed", SOON_MS);
  expect(keys()).toEqual(["seed"]);
  await stage.end();
});

test.each<[string, object, string | undefined]>([
  ["a Job of one pod", { completions: 1, parallelism: 1 }, undefined],
  ["a Job of several completions", { completions: 3 }, 'needs konductor.io/gate "job"'],
  ["a Job with pods in parallel", { parallelism: 2 }, 'needs konductor.io/gate "job"'],
  ["a Job that asks for nothing", { template: {} }, "Job migrate has others or none"],
  ["no Job any more", {}, "has no Job any more"],
])("an unscheduled pod of %s is asked for only if its success is all of the work", async (_, size, why) => {
  const job = withKey(plainJob(), KEY) as Json;
  const spec = { ...record(job["spec"]), ...size };
  const gated = withKey(podObject("migrate-a", "pod-a", { job: JOB, gate: "scheduling", gated: true }), KEY);
  const told: EventReport[] = [];
  const stage = stageArbiter({
    objects: {
      leases: [leaseObject({})],
      pods: [gated],
      jobs: why?.includes("no Job") ? [] : [{ ...job, spec }],
    },
    record: (event) => told.push(event),
  });
  await stage.until(() => stage.holder() === "pod-a" || told.length > 0, SOON_MS);
  expect(stage.holder()).toBe(why ? undefined : "pod-a");
  if (why) {
    expect(stage.requests()).toEqual([]);
    expect(told[0]).toMatchObject({
      object: { kind: "Pod", name: "migrate-a", uid: "pod-a" },
      ...{ type: "Warning", reason: "Refused", message: expect.stringContaining(why) },
    });
  }
  await stage.end();
});

test("work that was forgotten is granted again", async () => {
  const object: Json = leaseObject({ done: [DONE] });
  const annotations = { "konductor.io/forget": `{"key":"${KEY}","token":41,"by":"ada"}` };
  const leases = [{ ...object, metadata: { ...record(object["metadata"]), annotations } }];
  const stage = stageArbiter({
    objects: { leases, pods: [pod], jobs: [plainJob(KEY)], leaserequests: [requestOfPod] },
  });
  expect(await stage.until(() => stage.holder() === "pod-a", SOON_MS)).toBeLessThan(SOON_MS);
  await stage.end();
});

test.each<[string, object[]]>([
  ["forgotten", [leaseObject({ done: [{ ...DONE, key: "seed" }] })]],
  ["deleted with its klease", []],
])("work that was %s after its request was denied is granted, and its Job not ended", async (_, leases) => {
  const denied = { ...requestOfPod, status: { phase: "Denied", reason: "AlreadyDone" } };
  const stage = stageArbiter({
    objects: { leases, pods: [pod], jobs: [plainJob(KEY)], leaserequests: [denied] },
  });
  expect(await stage.until(() => stage.holder() === "pod-a", SOON_MS)).toBeLessThan(SOON_MS);
  expect(conditionOf(stage.stored("jobs", JOB.name))).toEqual({});
  await stage.end();
});

test("no Job is ended for work that was forgotten while the cache still lists it", async () => {
  const denied = { ...requestOfPod, status: { phase: "Denied", reason: "AlreadyDone" } };
  let isForgotten = false;
  const objects = {
    leases: [leaseObject({ done: [DONE] })],
    ...{ pods: [pod], jobs: [plainJob(KEY)], leaserequests: [denied] },
  };
  const stage = stageArbiter({
    objects,
    stalled: ["leases"],
    fault: (what) => {
      // Somebody forgets the work just before the arbiter's first look at the klease.
      if (what === "get leases" && !isForgotten) {
        isForgotten = true;
        stage.put("leases", leaseObject({}));
      }
      return undefined;
    },
  });
  await stage.until(() => stage.holder() === "pod-a", SOON_MS);
  expect(isForgotten).toBe(true);
  expect(conditionOf(stage.stored("jobs", JOB.name))).toEqual({});
  await stage.end();
});

test("a Job that holds as a whole, and is deleted as soon as it is Complete, has its work noted", async () => {
  const ref = { kind: "Job", ...JOB } as const;
  const hold = aHold({ holder: JOB.name, ref, pods: [], once: KEY });
  const job = record(withKey(jobObject(JOB.name, JOB.uid, { suspend: false }), KEY));
  const stage = stageArbiter({
    objects: { leases: [leaseObject({ hold, lastToken: hold.token })], jobs: [job] },
  });
  stage.put("jobs", { ...job, status: { conditions: [{ type: "Complete", status: "True" }] } });
  const complete = parseJob(stage.stored("jobs", JOB.name));
  stage.remove("jobs", JOB.name);
  stage.caches.jobs.remove({ ...complete, resourceVersion: "9000" });
  await stage.until(() => stage.holder() === undefined, SOON_MS);
  expect(stage.lease().status.done).toMatchObject([{ key: KEY, holder: JOB.name, token: hold.token }]);
  await stage.end();
});

test("a client's word that its work has succeeded counts although the watch has not told it until the hold expires", async () => {
  const ref = { kind: "LeaseRequest", name: "own", uid: "uid-of-own" } as const;
  const hold = aHold({ holder: "ci", ref, once: KEY, ttlMs: 5_000 });
  const own = requestObject(ref.name, ref.uid, { once: KEY }, { phase: "Granted", token: hold.token });
  const stage = stageArbiter({
    objects: { leases: [leaseObject({ hold, lastToken: hold.token })], leaserequests: [own] },
    stalled: ["leaserequests"],
  });
  stage.put("leaserequests", { ...own, spec: { ...own.spec, succeeded: hold.token } });
  await stage.until(() => stage.holder() === undefined, 20_000);
  expect(stage.lease().status.done).toMatchObject([{ key: KEY, holder: "ci", token: hold.token }]);
  await stage.end();
});
