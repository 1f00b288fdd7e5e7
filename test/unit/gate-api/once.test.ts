/** A pod whose work is done once asks only if its success is all of the work, as its Job itself says: the webhook may never have seen the Job. */
import { expect, test } from "vitest";
import {
  ANNOTATION,
  GATE_CONTAINER,
  KEEPER_CONTAINER,
  LEASE_LABEL,
  PATH,
} from "../../../src/shared/names.ts";
import { storedApi } from "./stored-api.ts";

const LEASE = {
  metadata: { namespace: "a", name: "report", uid: "lease", resourceVersion: "1" },
  spec: { ttl: "10m" },
  status: {},
};
const JOB = { name: "migrate", uid: "job-1" };
const podOf = (owners: object[]) => ({
  metadata: {
    ...{ namespace: "a", name: "me", uid: "me", labels: { [LEASE_LABEL]: "report" } },
    annotations: { [ANNOTATION.once]: "seed" },
    ownerReferences: owners.map((owner) => ({
      ...{ apiVersion: "batch/v1", kind: "Job", controller: true, ...owner },
    })),
  },
  spec: {
    initContainers: [{ name: GATE_CONTAINER }, { name: KEEPER_CONTAINER, restartPolicy: "Always" }],
    containers: [{ name: "main" }],
  },
  status: { phase: "Pending", initContainerStatuses: [{ name: GATE_CONTAINER, state: { running: {} } }] },
});
const jobOf = (spec: object, lease = "report", key = "seed") => ({
  metadata: { namespace: "a", ...JOB },
  spec: {
    template: { metadata: { labels: { [LEASE_LABEL]: lease }, annotations: { [ANNOTATION.once]: key } } },
    ...spec,
  },
});
const GATE_RUN = "0a1b/1000";
const SEVERAL = { reason: "Forbidden", message: expect.stringContaining('needs konductor.io/gate "job"') };
const UNASKED = { reason: "Forbidden", message: expect.stringContaining("Job migrate has others or none") };
const GONE = { reason: "Forbidden", message: expect.stringContaining("has no Job any more") };

test.each<[string, object[], object | undefined, object]>([
  ["one completion", [JOB], jobOf({ completions: 1 }), { state: "waiting" }],
  ["several completions", [JOB], jobOf({ completions: 3 }), SEVERAL],
  ["pods in parallel", [JOB], jobOf({ parallelism: 2 }), SEVERAL],
  ["a Job that is for another klease", [JOB], jobOf({}, "nightly"), UNASKED],
  ["a Job that does other work once", [JOB], jobOf({}, "report", "schema"), UNASKED],
  ["a Job without any label", [JOB], jobOf({ template: {} }), UNASKED],
  ["its Job gone", [JOB], undefined, GONE],
  ["another Job of that name", [JOB], { metadata: { ...JOB, namespace: "a", uid: "job-2" } }, GONE],
  ["no Job", [], undefined, GONE],
])("a pod with %s", async (_, owners, job, answer) => {
  const { post, writes } = storedApi({ lease: LEASE, pod: podOf(owners), ...(job && { job }) });
  expect(await post(PATH.acquire, { lease: "report", gateRun: GATE_RUN })).toMatchObject(answer);
  expect(writes()).toEqual("state" in answer ? ["create leaserequests"] : []);
});

test.each([
  ["waits already keeps its place", { phase: "Pending" }],
  ["was told that its work is done may hear it again", { phase: "Denied", reason: "AlreadyDoneWithoutJob" }],
])("a pod without its Job that %s", async (_, status) => {
  const holderRef = { kind: "Pod", name: "me", uid: "me" };
  const request = {
    metadata: { namespace: "a", name: "request", uid: "request-1", resourceVersion: "1" },
    spec: { lease: "report", holder: "me", holderRef, once: "seed", gateRun: GATE_RUN },
    status,
  };
  const { post, writes } = storedApi({ lease: LEASE, pod: podOf([]), request });
  const asked = { lease: "report", gateRun: GATE_RUN };
  expect(await post(PATH.acquire, asked)).not.toHaveProperty("reason", "Forbidden");
  expect(writes()).toEqual([]);
});
