/** What the arbiter does to pods and Jobs while its watch of pods is stalled. Pods that no longer exist are in nobody's way. */
import { expect, test } from "vitest";
import { ANNOTATION, LEASE_LABEL } from "../../../src/shared/names.ts";
import { microTime } from "../../../src/shared/times.ts";
import { aHold, NOW_MS } from "../lease/samples.ts";
import { leaseObject, podObject, requestObject } from "./objects.ts";
import { stageArbiter } from "./staged-arbiter.ts";

const stalled = ["pods"];

test.each([
  ["its gate runs again", podObject("run-1", "pod-1"), false],
  ["its main runs", podObject("run-1", "pod-1", { isRunning: true }), true],
])(
  "a pod past the gate of a deleted klease is deleted only if it still is past the gate: %s",
  async (_, live, isDeleted) => {
    const { status, ...lease } = leaseObject({});
    const stage = stageArbiter({
      objects: { leases: [lease], pods: [podObject("run-1", "pod-1", { isRunning: true })] },
      stalled,
    });
    stage.put("pods", live);
    await stage.clock.turn(20_000);
    expect(stage.calls.includes("delete pods")).toBe(isDeleted);
    await stage.end();
  },
);

const annotations = { [ANNOTATION.maxWaiting]: "1" };

const TEMPLATE = { template: { metadata: { labels: { [LEASE_LABEL]: "nightly" }, annotations } } };

function run(index: number, jobChange: object = {}) {
  const [name, uid, job] = [`run-${index}`, `pod-${index}`, { name: `job-${index}`, uid: `job-${index}` }];
  const pod = podObject(name, uid, { job });
  return {
    pods: { ...pod, metadata: { ...pod.metadata, annotations } },
    jobs: {
      metadata: {
        ...{ namespace: "ns", ...job, labels: { [LEASE_LABEL]: "nightly" } },
        ownerReferences: [{ apiVersion: "batch/v1", kind: "CronJob", controller: true, uid: "cron-1" }],
      },
      spec: TEMPLATE,
      ...jobChange,
    },
    leaserequests: requestObject(`nightly-${name}`, `request-${index}`, {
      holderRef: { kind: "Pod", name, uid },
      requestedAt: microTime(NOW_MS + index),
    }),
  };
}

test.each<[string, boolean, object?]>([
  ["waits", true],
  ["is gone", false],
  ["names a Job that is over", false, { status: { conditions: [{ type: "Complete", status: "True" }] } }],
  ["names a Job that its user has suspended", false, { spec: { ...TEMPLATE, suspend: true } }],
  ["names a Job that waits for nothing", false, { spec: { template: {} } }],
])(
  "a run of a CronJob is skipped only if the previous run waits: the previous run %s",
  async (what, isSkipped, job) => {
    const isGone = what === "is gone";
    const second = run(2, job);
    const stage = stageArbiter({
      objects: {
        leases: [leaseObject({ hold: aHold() }, { ttl: "1h" })],
        pods: [podObject("run-1", "pod-1", { isRunning: true, canFence: true }), second.pods],
        jobs: [second.jobs],
        leaserequests: [second.leaserequests],
      },
      stalled,
    });
    await stage.clock.turn(2_000);
    if (isGone) stage.remove("pods", "run-2");
    for (const [plural, object] of Object.entries(run(3))) stage.put(plural, object);
    await stage.clock.turn(15_000);
    const { status } = stage.requests().find(({ uid }) => uid === "request-3") ?? {};
    expect(status).toEqual(isSkipped ? { phase: "Denied", reason: "Skipped" } : { phase: "Pending" });
    await stage.end();
  },
);

const ONCE = { requestedAt: microTime(NOW_MS), waitUntil: microTime(NOW_MS) };
const BATCH = { name: "batch", uid: "job-1" };

/** A pod that asks for a free klease once. The cache does not show it, and each look at it takes so long. */
function oneTry(lookMs: number, ifHeld: "skip" | "fail") {
  const isSkipped = ifHeld === "skip";
  const pod = podObject("once", "pod-9", isSkipped ? { gated: true, job: BATCH } : {});
  Object.assign(pod.metadata.annotations, { [ANNOTATION.ifHeld]: ifHeld });
  const { labels, annotations: asked } = pod.metadata;
  const stage = stageArbiter({
    objects: { leases: [leaseObject({})] },
    stalled,
    fault: (what) => (what === "get pods" ? lookMs : undefined),
  });
  stage.put("pods", pod);
  stage.put("jobs", {
    metadata: { namespace: "ns", ...BATCH, labels },
    spec: { template: { metadata: { labels, annotations: asked } } },
    status: {},
  });
  const holderRef = { kind: "Pod", name: "once", uid: "pod-9" };
  stage.put("leaserequests", requestObject("nightly-once", "uid-of-once", { holderRef, ...ONCE }));
  return stage;
}

test.each([
  ["fail", 200],
  ["fail", 1_500],
  ["skip", 200],
  ["skip", 1_500],
] as const)(
  "a free klease is granted to a pod with if-held: %s, though a look at the pod takes %i ms",
  async (ifHeld, lookMs) => {
    const stage = oneTry(lookMs, ifHeld);
    expect(await stage.until(() => stage.holder() === "pod-9", 5_000)).toBeLessThan(5_000);
    await stage.until(() => false, 5_000);
    expect(stage.requests()[0]?.status.phase).not.toBe("Denied");
    expect(stage.stored("jobs", "batch")?.["status"]).toEqual({});
    await stage.end();
  },
);
