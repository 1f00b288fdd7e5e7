/** Pods of Jobs that admission never saw, or that are gone, as a real API server, Job controller and garbage collector show them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { JOBS, PODS } from "../../../src/kube/resources.ts";
import { type PodView, parsePod } from "../../../src/lease/pod.ts";
import { writeRequestStatus } from "../../../src/objects/lease-objects.ts";
import { findPod } from "../../../src/objects/live-objects.ts";
import { record, text } from "../../../src/shared/json.ts";
import { ANNOTATION, GATE_CONTAINER, KEEPER_CONTAINER, LEASE_LABEL } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Replica } from "./replica.ts";
import { createWorld, FIRST_RUN, type World } from "./world.ts";

const CONTAINER = { image: "none" };

let world: World;
let one: Replica;
let other: Replica;

beforeAll(async () => {
  world = await createWorld("gate-api-once");
  [one, other] = await Promise.all([world.startReplica(), world.startReplica()]);
});
afterAll(() => world?.close());

/** A Job whose pod template alone asks, which nobody has looked at, and one of its pods. */
async function createJob(lease: string, size: object): Promise<{ name: string; pod: PodView }> {
  const { namespace, admin } = world;
  const name = world.fresh("job");
  const metadata = {
    labels: { [LEASE_LABEL]: lease },
    annotations: { [ANNOTATION.once]: "seed", [ANNOTATION.waitTimeout]: "5m" },
  };
  const spec = {
    ...{ nodeName: namespace, restartPolicy: "Never", containers: [{ name: "main", ...CONTAINER }] },
    initContainers: [
      { name: GATE_CONTAINER, ...CONTAINER },
      { name: KEEPER_CONTAINER, ...CONTAINER, restartPolicy: "Always" },
    ],
  };
  const template = { metadata, spec };
  const job = await admin.create(JOBS, { metadata: { namespace, name }, spec: { ...size, template } });
  const uid = text(record(record(job)["metadata"])["uid"]) ?? "";
  let pod: PodView | undefined;
  await waitFor({
    what: `a pod of Job ${name}`,
    withinMs: 20_000,
    async holds() {
      const labelSelector = `batch.kubernetes.io/controller-uid=${uid}`;
      const { items } = await admin.list(PODS, { namespace, labelSelector }, parsePod);
      pod = items[0];
      return pod !== undefined;
    },
  });
  if (!pod) throw new Error(`Job ${name} has no pod`);
  return { name, pod };
}

test.each([
  ["several completions", { completions: 3 }],
  ["pods in parallel", { parallelism: 2 }],
])("a pod of a Job with %s is refused, which no admission has done", async (_, size) => {
  const { lease } = await world.newHolder();
  const { pod } = await createJob(lease, size);
  const bearer = await world.tokenOf(pod);
  const lines = await one.acquire(bearer, { lease, gateRun: FIRST_RUN });
  expect(await lines.next()).toMatchObject({
    reason: "Forbidden",
    message: expect.stringContaining('needs konductor.io/gate "job"'),
  });
  expect(await world.request(pod)).toBeUndefined();
});

test("a pod whose Job was deleted without it keeps its place, and hears that its work is done", async () => {
  const { namespace, admin } = world;
  const { lease, pod: holder } = await world.newHolder();
  const { name, pod } = await createJob(lease, {});
  const bearer = await world.tokenOf(pod);
  const first = await one.acquire(bearer, { lease, gateRun: FIRST_RUN });
  expect(await first.next()).toMatchObject({ state: "waiting" });
  await admin.raw("DELETE", `/apis/batch/v1/namespaces/${namespace}/jobs/${name}`, {
    propagationPolicy: "Orphan",
  });
  await waitFor({
    what: "the pod to have no Job",
    withinMs: 20_000,
    holds: async () => (await findPod(admin, pod))?.job === undefined,
  });
  const again = await other.acquire(bearer, { lease, gateRun: FIRST_RUN });
  expect(await again.next()).toMatchObject({ state: "waiting", position: 1, of: 1 });

  const request = await world.request(pod);
  if (!request) throw new Error(`pod ${pod.name} has no request`);
  await writeRequestStatus(admin, request, { phase: "Denied", reason: "AlreadyDoneWithoutJob" }, Date.now());
  expect(await again.next()).toMatchObject({
    state: "denied",
    message: expect.stringMatching(`^"seed" is done already, .* no Job any more .*; held by ${holder.name}`),
  });
});
