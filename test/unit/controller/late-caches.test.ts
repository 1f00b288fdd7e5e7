/** What the arbiter asks the API server while a watch is stalled, since it concludes nothing from what a cache does not show. */
import { expect, test } from "vitest";
import { createEvidenceStore } from "../../../src/controller/evidence-store.ts";
import { formatLeaseStatus } from "../../../src/lease/codec.ts";
import type { JobView } from "../../../src/lease/job.ts";
import { requestName } from "../../../src/lease/naming.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import type { LeaseStatus } from "../../../src/lease/types.ts";
import type { NodeView } from "../../../src/objects/node-view.ts";
import { ANNOTATION, LEASE_LABEL } from "../../../src/shared/names.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aHold, aLease, NOW_MS } from "../lease/samples.ts";
import { fedReflector } from "./fed-reflector.ts";
import { recordedClient } from "./recorded-client.ts";
import { stageArbiter } from "./staged-arbiter.ts";

const iso = (ms: number) => new Date(ms).toISOString();
const TTL_MS = 3_600_000;

const leaseObject = (status: Partial<LeaseStatus>) => {
  const lease = aLease({ lastToken: 41, lastRequest: "request-1", ...status });
  return {
    metadata: { namespace: "ns", name: "nightly", uid: lease.uid, generation: 1 },
    spec: { ttl: "1h" },
    status: formatLeaseStatus(lease, lease.status, NOW_MS),
  };
};

function podObject(isStarted: boolean, job?: object) {
  const passed = { terminated: { exitCode: 0, finishedAt: iso(NOW_MS - 9_000), message: "acquired 41" } };
  const running = { running: { startedAt: iso(NOW_MS - 8_000) } };
  return {
    metadata: {
      ...{ namespace: "ns", name: "run-1", uid: "pod-1", labels: { [LEASE_LABEL]: "nightly" } },
      annotations: { [ANNOTATION.startTimeout]: "60s", ...(job && { [ANNOTATION.gate]: "job" }) },
      ownerReferences: job ? [job] : [],
    },
    spec: {
      nodeName: "node-1",
      initContainers: [{ name: "konductor-gate" }, { name: "konductor-keeper", restartPolicy: "Always" }],
      containers: [{ name: "main" }],
    },
    status: {
      initContainerStatuses: [
        { name: "konductor-gate", state: passed },
        { name: "konductor-keeper", state: running },
      ],
      containerStatuses: isStarted ? [{ name: "main", state: running }] : [],
    },
  };
}

const owner = { apiVersion: "batch/v1", kind: "Job", controller: true, name: "batch", uid: "job-1" };
const template = {
  metadata: {
    labels: { [LEASE_LABEL]: "nightly" },
    annotations: { [ANNOTATION.gate]: "job", [ANNOTATION.startTimeout]: "60s" },
  },
};
const jobObject = {
  metadata: { namespace: "ns", name: "batch", uid: "job-1", labels: { [LEASE_LABEL]: "nightly" } },
  spec: { suspend: false, template },
};
const member = { ...aHold().ref, kind: "Pod" as const, releasing: false };

test.each([
  ["a pod", aHold({ ttlMs: TTL_MS }), undefined],
  [
    "a Job",
    aHold({ ttlMs: TTL_MS, ref: { kind: "Job", name: "batch", uid: "job-1" }, pods: [member] }),
    owner,
  ],
])(
  "the hold of %s whose main runs is not revoked just because the watch of pods is stalled",
  async (_, hold, job) => {
    for (const hasStarted of [true, false]) {
      const stage = stageArbiter({
        objects: {
          leases: [leaseObject({ hold })],
          pods: [podObject(false, job)],
          jobs: job ? [jobObject] : [],
          nodes: [{ metadata: { name: "node-1", uid: "n" } }],
        },
        stalled: ["pods"],
      });
      stage.put("pods", podObject(hasStarted, job));
      await stage.clock.turn(50_000);
      expect(stage.calls).not.toContain("get pods");
      await stage.clock.turn(60_000);
      await stage.end();
      expect(stage.calls).toContain("get pods");
      expect(stage.lease().status.hold?.revoked).toBe(hasStarted ? undefined : "NotStarted");
    }
  },
);

test("a Job that holds is not suspended because the cache does not show its klease", async () => {
  const hold = aHold({ ref: { kind: "Job", name: "batch", uid: "job-1" }, pods: [] });
  const stage = stageArbiter({ objects: { jobs: [jobObject] }, stalled: ["leases"] });
  stage.put("leases", leaseObject({ hold }));
  await stage.clock.turn(10_000);
  await stage.end();
  expect(stage.calls).not.toContain("patch jobs");

  const free = stageArbiter({ objects: { jobs: [jobObject] } });
  await free.clock.turn(10_000);
  await free.end();
  expect(free.calls).toContain("patch jobs");
});

test("the hold of a Job without pods does not end by a max-hold that was extended meanwhile", async () => {
  const withMaxHold = (maxHold: string) => {
    const annotations = { ...template.metadata.annotations, [ANNOTATION.maxHold]: maxHold };
    const spec = { suspend: false, template: { metadata: { ...template.metadata, annotations } } };
    return { ...jobObject, spec };
  };
  const ref = { kind: "Job", name: "batch", uid: "job-1" } as const;
  const granted = {
    metadata: { namespace: "ns", name: requestName("nightly", ref), uid: "request-1" },
    spec: { lease: "nightly", holder: "batch", holderRef: ref },
    status: { phase: "Granted", fencingToken: 41 },
  };
  const hold = aHold({ ttlMs: TTL_MS, acquiredMs: NOW_MS - 600_000, ref, pods: [] });
  for (const maxHold of ["1h", "5m"]) {
    const stage = stageArbiter({
      objects: { leases: [leaseObject({ hold })], jobs: [withMaxHold("5m")], leaserequests: [granted] },
      stalled: ["jobs"],
    });
    stage.put("jobs", withMaxHold(maxHold));
    await stage.clock.turn(500);
    expect(stage.lease().status.hold?.expired).toBe(maxHold === "5m");
    await stage.end();
  }
});

test("the trace of a confirmed hold stays, although the cache does not show the confirmation", async () => {
  const ref = { kind: "Pod", name: "run-1", uid: "pod-1" } as const;
  const granted = {
    metadata: { namespace: "ns", name: requestName("nightly", ref), uid: "request-1" },
    spec: { lease: "nightly", holder: "run-1", holderRef: ref },
    status: {
      ...{ phase: "Granted", fencingToken: 41 },
      conditions: [{ type: "Granted", status: "True", lastTransitionTime: "2026-01-01T00:09:50Z" }],
    },
  };
  const stage = stageArbiter({
    objects: {
      leases: [leaseObject({ hold: aHold({ ttlMs: TTL_MS, ref, confirmed: false }) })],
      pods: [podObject(true)],
      leaserequests: [granted],
    },
    stalled: ["leases"],
  });
  stage.put("leases", leaseObject({ hold: aHold({ ttlMs: TTL_MS, ref, confirmed: true }) }));
  await stage.until(() => stage.calls.includes("replaceStatus leases"), 15_000);
  expect(stage.calls).toContain("replaceStatus leases");
  await stage.clock.turn(1_000);
  expect(stage.calls).not.toContain("replaceStatus leaserequests");
  await stage.end();
});

test.each([
  ["tainted", true, true],
  ["no longer tainted", false, false],
])(
  "a live look shows whether the node of a pod that is gone is out of service: %s",
  async (_, isTainted, isProof) => {
    const taints = isTainted ? [{ key: "node.kubernetes.io/out-of-service" }] : [];
    const { client } = recordedClient(({ what }) =>
      what === "get nodes"
        ? { metadata: { name: "node-1", uid: "n", resourceVersion: "9" }, spec: { taints } }
        : { metadata: { uid: "another" } },
    );
    const node = { name: "node-1", uid: "n", resourceVersion: "2", ready: false, schedulable: true };
    const nodes = fedReflector<NodeView>();
    nodes.apply({ ...node, outOfService: true, declaredFeatures: [], labels: {}, taints: [] });
    const caches = { pods: fedReflector<PodView>(), jobs: fedReflector<JobView>(), nodes };
    const evidence = createEvidenceStore({ client, caches, clock: turnedClock() });
    const { ref } = aHold();
    expect(evidence.lookedAgoMs(ref.uid)).toBe(Number.POSITIVE_INFINITY);
    await evidence.look("ns", ref);
    expect(evidence.evidenceOf("ns", ref)).toMatchObject({ is: "gone", nodeOutOfService: isProof });
    expect(evidence.lookedAgoMs(ref.uid)).toBe(0);
  },
);
