/** What a skip is based on, and how it handles concurrent writes. The rest is shown by test/e2e/scenarios/skipping.ts. */
import { expect, test } from "vitest";
import { createErrands } from "../../../src/controller/errands.ts";
import { createSkips } from "../../../src/controller/skips.ts";
import { createUnrunJobs } from "../../../src/controller/unrun-jobs.ts";
import { formatLeaseStatus } from "../../../src/lease/codec.ts";
import { parseJob, waitsAsWhole } from "../../../src/lease/job.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import { readAsked } from "../../../src/lease/settings.ts";
import type { Lease, LeaseRequest } from "../../../src/lease/types.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { parseJson, record } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { ANNOTATION, LEASE_LABEL } from "../../../src/shared/names.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { createPod, statusOf } from "../lease/pod-fixture.ts";
import { aLease, aRequest, held, NOW_MS, situationOf } from "../lease/samples.ts";
import { fedReflector } from "./fed-reflector.ts";
import { recordedClient } from "./recorded-client.ts";

interface Stage {
  lease?: Lease;
  annotations: Record<string, string>;
  /** The metadata of the Job's own template, if they differ from its pod's. */
  template?: { labels?: object; annotations?: object };
  request?: LeaseRequest["status"];
  /** It is to be granted or denied at once. */
  isOneTry?: boolean;
  /** The number of renewals between our read and our write. */
  renewals?: number;
  /** Pods that a live look finds. */
  siblings?: object[];
  /** The klease was renewed since it was looked at. */
  isRenewed?: boolean;
  /** What the klease says once the request is denied. */
  afterDenial?: Lease["status"];
  /** What the klease says once its status is written, which is refused then. */
  beforeCount?: Lease["status"];
  /** Why the Job cannot be ended. */
  refusal?: KonductorError;
}

/** A pod of a CronJob's Job, or with `gate: job` that Job, waits for `lease`. The klease counts four skipped Jobs already. */
function stage({
  lease = held(),
  annotations,
  template = { labels: { [LEASE_LABEL]: lease.name }, annotations },
  request = { phase: "Pending" },
  isOneTry = false,
  renewals = 0,
  siblings = [],
  isRenewed = false,
  afterDenial,
  beforeCount,
  refusal,
}: Stage) {
  const job = { name: "nightly-2", uid: "job-2" };
  const pod: PodView = {
    ...statusOf(createPod(1, { selfFencing: true, restartPolicy: "Never" })),
    ...{ name: "nightly-2-a", uid: "pod-of-2", job, ...readAsked(lease.name, annotations) },
  };
  const seen = { skipped: 4, isOver: false, told: [] as string[], counted: [] as string[] };
  const lines: unknown[] = [];
  let renewalsToCome = renewals;
  let live = isRenewed ? { ...lease, resourceVersion: "6" } : lease;
  const { client } = recordedClient(({ what, sent }) => {
    const { resourceVersion, generation, namespace, name, uid } = live;
    switch (what) {
      case "get leases":
        return {
          metadata: { namespace, name, uid, resourceVersion, generation },
          status: formatLeaseStatus(live, { ...live.status, skipped: seen.skipped }, NOW_MS),
        };
      case "list pods":
        return siblings;
      case "get jobs":
        return {
          metadata: {
            uid: job.uid,
            ownerReferences: [{ apiVersion: "batch/v1", kind: "CronJob", uid: "nightly" }],
          },
          spec: { template: { metadata: template } },
          status: { conditions: seen.isOver ? [{ type: "SuccessCriteriaMet", status: "True" }] : [] },
        };
      case "patch jobs":
        if (refusal) throw refusal;
        seen.isOver = true;
        return sent;
      case "replaceStatus leases":
        if (beforeCount) {
          live = { ...lease, resourceVersion: "9", status: beforeCount };
          throw new KonductorError("Conflict", "granted meanwhile");
        }
        if (renewalsToCome-- > 0) throw new KonductorError("Conflict", "renewed meanwhile");
        seen.skipped = Number(record(record(sent)["status"])["skipped"]);
        live = { ...live, resourceVersion: String(Number(resourceVersion) + 1) };
        return sent;
      case "replaceStatus leaserequests":
        if (afterDenial) live = { ...lease, resourceVersion: "8", status: afterDenial };
        return sent;
      default:
        throw new Error(`unexpected: ${what}`);
    }
  });
  const ref = waitsAsWhole(pod)
    ? ({ kind: "Job", ...job } as const)
    : ({ kind: "Pod", name: pod.name, uid: pod.uid } as const);
  const whole = parseJob({
    metadata: { namespace: pod.namespace, ...job },
    spec: { template: { metadata: template } },
  });
  const spec = { ref, ...(isOneTry && { requestedAtMs: NOW_MS, waitUntilMs: NOW_MS }) };
  const situation = situationOf(lease, {
    requests: [aRequest({ spec, status: request })],
    evidenceOf: () => (waitsAsWhole(pod) ? { is: "job", job: whole } : { is: "present", pod }),
  });
  const caches = {
    pods: fedReflector<PodView>({ lease: ({ namespace, lease }) => `${namespace}/${lease}` }),
    requests: fedReflector<LeaseRequest>(),
    leases: fedReflector<Lease>(),
  };
  const events = {
    record: ({ reason, message }: { reason: string; message: string }) =>
      seen.told.push(`${reason}: ${message}`),
  };
  const recorder = {
    waited: (outcome: string, waitedMs: number) => void seen.counted.push(`${outcome} after ${waitedMs}`),
    jobSkipped: () => void seen.counted.push("Job"),
  };
  const clock = turnedClock(NOW_MS);
  const logger = createLogger({ destination: { write: (line) => void lines.push(parseJson(line)) } });
  const errands = createErrands({ clock, logger, wake: () => undefined });
  const unrunJobs = createUnrunJobs({ client, caches, events, recorder, clock, logger });
  const skips = createSkips({ client, caches, errands, unrunJobs, recorder, clock });
  return { seen, lines, skip: () => skips.skip(situation) };
}

test("a skip is counted and logged exactly once, even if renewals come in between", async () => {
  const { seen, lines, skip } = stage({
    annotations: { [ANNOTATION.ifHeld]: "skip" },
    request: { phase: "Denied", reason: "Skipped" },
    renewals: 3,
  });
  await skip();
  await skip();
  expect(seen).toEqual({
    skipped: 5,
    isOver: true,
    told: [
      "Skipped: marked Complete without having run: klease nightly is held by run-1",
      "Skipped: Job nightly-2 was skipped: klease nightly is held by run-1",
    ],
    // Another arbiter has denied it.
    counted: ["Job"],
  });
  expect(lines).toMatchObject([
    {
      ...{ level: "info", lease: "ns/nightly", job: "nightly-2", pod: "nightly-2-a", reason: "Skipped" },
      msg: "Job nightly-2 was skipped: klease nightly is held by run-1",
    },
  ]);
});

const waiting = (most: string) => ({ [ANNOTATION.maxWaiting]: most });

test.each(["init", "scheduling", "job"])(
  "a Job that does not wait is skipped whatever the klease's maxWaiting, with gate %s",
  async (gate) => {
    const asked = { [ANNOTATION.gate]: gate, [ANNOTATION.ifHeld]: "skip" };
    const { seen, skip } = stage({ lease: held({}, { maxWaiting: 5 }), annotations: asked, isOneTry: true });
    await skip();
    expect(seen).toMatchObject({ skipped: 5, isOver: true, counted: ["skipped after 0", "Job"] });
  },
);

test("a Job that does not wait is not skipped while its klease is free, and its pod may only not have been seen", async () => {
  const { seen, skip } = stage({
    lease: aLease({ lastToken: 41 }),
    annotations: { [ANNOTATION.ifHeld]: "skip" },
    isOneTry: true,
  });
  await skip();
  expect(seen).toMatchObject({ skipped: 4, isOver: false, counted: [] });
});

test("the first run that would have to wait is skipped if no run of a CronJob may wait", async () => {
  const { seen, skip } = stage({ annotations: waiting("0") });
  await skip();
  expect(seen).toMatchObject({ skipped: 5, isOver: true, counted: ["skipped after 0", "Job"] });
  expect(seen.told[0]).toBe(
    "Skipped: marked Complete without having run: klease nightly is held by run-1, and no run of its CronJob may wait",
  );
});

test("a run is skipped though the klease is renewed again and again while others are looked at", async () => {
  const { seen, skip } = stage({ annotations: waiting("0"), isRenewed: true });
  await skip();
  expect(seen).toMatchObject({ skipped: 5, isOver: true, counted: ["skipped after 0", "Job"] });
});

test("nobody is named as the holder of a klease that has become free since it was asked for", async () => {
  const { seen, skip } = stage({
    lease: aLease({ lastToken: 41 }),
    annotations: { [ANNOTATION.ifHeld]: "skip" },
    request: { phase: "Denied", reason: "Skipped" },
  });
  await skip();
  expect(seen.told[0]).toBe(
    "Skipped: marked Complete without having run: klease nightly was held when it asked",
  );
});

test.each<[string, Stage]>([
  ["a run that may wait", { annotations: waiting("1") }],
  ["a run whose klease is free", { lease: aLease(), annotations: waiting("0") }],
])("%s is not skipped", async (_, options) => {
  const { seen, skip } = stage(options);
  await skip();
  expect(seen).toEqual({ skipped: 4, isOver: false, told: [], counted: [] });
});

test.each<[string, Stage["template"] & {}]>([
  [
    "names another klease",
    { labels: { [LEASE_LABEL]: "other" }, annotations: { [ANNOTATION.ifHeld]: "skip" } },
  ],
  ["names no klease", { annotations: { [ANNOTATION.ifHeld]: "skip" } }],
  ["asks to wait", { labels: { [LEASE_LABEL]: "nightly" } }],
])("a pod cannot have a Job skipped by naming it as its owner if the Job %s", async (_, template) => {
  const { seen, skip } = stage({ annotations: { [ANNOTATION.ifHeld]: "skip" }, template });
  await skip();
  expect(seen).toEqual({ skipped: 4, isOver: false, told: [], counted: [] });
});

test.each(["Pending", "Denied"] as const)(
  "a Job is not skipped if a live look shows one of its pods past the gate: %s",
  async (phase) => {
    const sibling = {
      metadata: {
        ...{ namespace: "ns", name: "nightly-2-b", uid: "pod-b", resourceVersion: "9" },
        labels: { "konductor.io/lease": "nightly" },
        ownerReferences: [
          { apiVersion: "batch/v1", kind: "Job", controller: true, name: "nightly-2", uid: "job-2" },
        ],
      },
      spec: { initContainers: [{ name: "konductor-gate" }], containers: [{ name: "main" }] },
      status: {
        initContainerStatuses: [{ name: "konductor-gate", state: { terminated: { exitCode: 0 } } }],
      },
    };
    const request: LeaseRequest["status"] = phase === "Denied" ? { phase, reason: "Skipped" } : { phase };
    const { seen, skip } = stage({
      annotations: { [ANNOTATION.ifHeld]: "skip", ...waiting("0") },
      request,
      siblings: [sibling],
    });
    await skip();
    expect(seen).toEqual({ skipped: 4, isOver: false, told: [], counted: [] });
  },
);

const granted = held({
  token: 42,
  ref: { kind: "Pod", name: "nightly-2-a", uid: "pod-of-2", node: "node-1", selfFencing: true },
});
const free = aLease({ lastToken: 41 }, { paused: true });

test.each<[string, Lease, Lease]>([
  ["was granted while it was denied", held(), granted],
  ["may be granted, since the holder has released while it was denied", held(), free],
  ["was granted while it was denied, and has released", free, aLease({ lastToken: 42 })],
])("a Job is not skipped as long as its pod %s", async (_, lease, after) => {
  const { seen, skip } = stage({ lease, annotations: waiting("0"), afterDenial: after.status });
  await skip();
  expect(seen).toMatchObject({ skipped: 4, isOver: false, counted: ["skipped after 0"] });
});

test("a Job is not skipped if the grant of its pod, decided before the denial, is stored after all looks", async () => {
  const { seen, skip } = stage({ annotations: waiting("0"), beforeCount: granted.status });
  await skip();
  expect(seen).toMatchObject({ skipped: 4, isOver: false, counted: ["skipped after 0"] });
});

test("a Job that could not be ended is not counted", async () => {
  const refusal = new KonductorError("Invalid", "a policy refuses it");
  const { seen, skip } = stage({ annotations: waiting("0"), refusal });
  await skip();
  expect(seen).toMatchObject({ skipped: 4, isOver: false, counted: ["skipped after 0"] });
});
