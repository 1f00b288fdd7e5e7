/** Requests that outlive their klease. None counts as the trace of a hold that its pod never had or no longer has. */
import { describe, expect, test } from "vitest";
import { parsePod } from "../../../src/lease/pod.ts";
import { LEASE_LABEL } from "../../../src/shared/names.ts";
import { microTime } from "../../../src/shared/times.ts";
import { aHold, NOW_MS } from "../lease/samples.ts";
import { jobObject, leaseObject, podObject, requestObject } from "./objects.ts";
import { stageArbiter } from "./staged-arbiter.ts";

const SOON_MS = 5_000;
const NEVER_GRANTED = { ...leaseObject({}), status: {} };

const holderRef = { kind: "Pod", name: "run-1", uid: "pod-1" };
const granted = requestObject(
  "nightly-run-1",
  "request-1",
  { holderRef },
  { phase: "Granted", fencingToken: 41 },
);
const gated = podObject("run-1", "pod-1", { gate: "scheduling", gated: true });

test.each([
  ["there is no new klease yet", []],
  ["another claimant had it created", [NEVER_GRANTED]],
])("a pod without a node waits again, and is granted the new klease: %s", async (_, leases) => {
  const stage = stageArbiter({ objects: { leases, pods: [gated], leaserequests: [granted] } });
  const isHolding = () => stage.holder() === "pod-1";
  expect(await stage.until(isHolding, SOON_MS)).toBeLessThan(SOON_MS);
  await stage.end();
});

test.each([
  ["there is no new klease yet", []],
  ["another claimant had it created", [NEVER_GRANTED]],
])("a pod that has a node by now, as a live look shows, may be running: %s", async (_, leases) => {
  const stage = stageArbiter({
    objects: { leases, pods: [gated], leaserequests: [granted] },
    stalled: ["pods"],
  });
  stage.put("pods", podObject("run-1", "pod-1", { isRunning: true, canFence: true }));
  stage.put("leaserequests", requestObject("waiter", "uid-of-waiter"));
  await stage.until(() => stage.holder() !== undefined, 60_000);
  expect(stage.holder()).toBeUndefined();
  expect(stage.calls).toContain("get pods");
  await stage.end();
});

describe("a pod that runs on under a Job's hold of a deleted klease, and cannot stop itself", () => {
  const job = { name: "run", uid: "job-1" };
  const asked = { holderRef: { kind: "Job", ...job } };
  const stageWith = (jobs: object[]) =>
    stageArbiter({
      objects: {
        leases: [NEVER_GRANTED],
        jobs,
        pods: [podObject("run-1", "pod-1", { gate: "job", job, isRunning: true })],
        leaserequests: [
          requestObject("nightly-run", "request-1", asked, { phase: "Granted", fencingToken: 41 }),
        ],
      },
      fault: (what) => (what === "patch jobs" ? "refused" : undefined),
    });

  test("is left to its Job, which would count it as failed, even if the Job cannot be suspended", async () => {
    const stage = stageWith([jobObject(job.name, job.uid, { suspend: false })]);
    await stage.until(() => stage.calls.filter((call) => call === "patch jobs").length > 2, 60_000);
    expect(stage.calls).toContain("get jobs");
    expect(stage.calls).not.toContain("delete pods");
    await stage.end();
  });

  test.each([
    ["is over", [jobObject(job.name, job.uid, { suspend: false, isOver: true })]],
    ["is gone", []],
    ["waits for another klease", [withLease("other")]],
  ])("is deleted where its Job %s", async (_, jobs) => {
    const stage = stageWith(jobs);
    const isDeleted = () => stage.calls.includes("delete pods");
    expect(await stage.until(isDeleted, SOON_MS)).toBeLessThan(SOON_MS);
    await stage.end();
  });

  function withLease(lease: string) {
    const { metadata, spec } = jobObject(job.name, job.uid, { suspend: false });
    const template = { metadata: { ...spec.template.metadata, labels: { [LEASE_LABEL]: lease } } };
    return { metadata, spec: { ...spec, template } };
  }
});

test("whoever is awaited for longer than its ttl and grace period is named, and nobody once it has gone", async () => {
  const events: string[] = [];
  const { metadata, spec } = NEVER_GRANTED;
  const pod = podObject("run-1", "pod-1", { isRunning: true, canFence: true });
  const stage = stageArbiter({
    objects: {
      leases: [{ metadata: { ...metadata, creationTimestamp: new Date(NOW_MS).toISOString() }, spec }],
      pods: [pod],
      leaserequests: [granted, requestObject("waiter", "uid-of-waiter")],
    },
    record: ({ reason, message }) => events.push(`${reason} ${message}`),
  });
  const unreachable = () => stage.lease().status.conditions.find(({ type }) => type === "HolderUnreachable");
  await stage.until(() => false, 60_000);
  expect(unreachable()?.status).not.toBe("True");
  await stage.until(() => unreachable()?.status === "True", 60_000);
  expect(unreachable()).toMatchObject({
    reason: "HolderOfDeletedLease",
    message: expect.stringContaining("(Pod run-1 on node node-1): if the node is off, taint it"),
  });
  expect(events).toContainEqual(expect.stringContaining("HolderUnreachable nothing proves"));
  expect(stage.holder()).toBeUndefined();

  stage.remove("pods", "run-1");
  stage.caches.pods.remove(parsePod({ ...pod, metadata: { ...pod.metadata, resourceVersion: "1000" } }));
  stage.withdraw("nightly-run-1");
  const isServed = () => stage.holder() !== undefined;
  expect(await stage.until(isServed, 10_000)).toBeLessThan(10_000);
  expect(unreachable()?.status).toBe("False");
  await stage.end();
});

test.each([
  ["made later", NOW_MS, "replaceStatus leases"],
  ["that may have been put back for that hold", aHold().acquiredMs, "get leases"],
])(
  "a request %s is not marked as granted for a hold that only a stalled watch still shows",
  async (_, requestedAtMs, tried) => {
    const again = requestObject("nightly-run-1", "request-2", {
      holderRef,
      requestedAt: microTime(requestedAtMs),
    });
    const stage = stageArbiter({
      objects: {
        leases: [leaseObject({ hold: aHold() })],
        pods: [podObject("run-1", "pod-1", { isRunning: true, canFence: true })],
        leaserequests: [again],
      },
      stalled: ["leases"],
    });
    stage.remove("leases", "nightly");
    await stage.until(() => false, 30_000);
    expect(stage.requests()).toMatchObject([{ uid: "request-2", status: { phase: "Pending" } }]);
    expect(stage.calls).toContain(tried);
    await stage.end();
  },
);
