/**
 * The attacker may create pods in one namespace (RBAC: create on pods, and nothing else). She names somebody else's unlabelled Job as the owner of
 * her pods.
 */
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { JOBS, LEASE_REQUESTS, LEASES } from "../../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../../src/lease/codec.ts";
import { JOB_ENDS, parseJob } from "../../../src/lease/job.ts";
import { list, record } from "../../../src/shared/json.ts";
import { ANNOTATION, LEASE_LABEL } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Environment } from "../../e2e/environment.ts";
import { startProcessEnvironment } from "../../e2e/process-environment.ts";

const LEASE = "trap";
const SLEEPS = { name: "main", image: "none", command: ["sleep", "600"] };

let environment: Environment;
let namespace: string;
beforeAll(async () => {
  const { env, programsDir } = inject("cluster");
  environment = await startProcessEnvironment({ env, programsDir, stream: process.stderr });
  namespace = await environment.createNamespace();
  const within = `--namespace=${namespace}`;
  await environment.kubectl("create", "role", "pods", within, "--verb=create", "--resource=pods");
  await environment.kubectl("create", "rolebinding", "mallory", within, "--role=pods", "--user=mallory");
});
afterAll(() => environment?.stop());

/** Creates a pod as mallory. */
function createPod(name: string, annotations = {}, ownerReferences: object[] = []): Promise<string> {
  const metadata = { name, namespace, labels: { [LEASE_LABEL]: LEASE }, annotations, ownerReferences };
  const spec = { restartPolicy: "Never", terminationGracePeriodSeconds: 2, containers: [SLEEPS] };
  return environment.kubectl.withObject(
    { apiVersion: "v1", kind: "Pod", metadata, spec },
    "create",
    "--as=mallory",
  );
}

async function createVictim(name: string) {
  const spec = { template: { spec: { restartPolicy: "Never", containers: [SLEEPS] } } };
  await environment.client.create(JOBS, { metadata: { namespace, name }, spec });
  const { uid } = await environment.client.get(JOBS, { namespace, name }, parseJob);
  return { apiVersion: "batch/v1", kind: "Job", name, uid, controller: true };
}

const isHeldBy = (holder: string) =>
  waitFor({
    what: `klease ${LEASE} to be held by ${holder}`,
    withinMs: 60_000,
    holds: async () =>
      (await environment.client.get(LEASES, { namespace, name: LEASE }, parseLease)).status.hold?.holder ===
      holder,
  });

test("a pod that names a Job as its owner is no evidence about that Job", async () => {
  await createPod("holder");
  await isHeldBy("holder");
  const witnesses = {
    skip: { [ANNOTATION.ifHeld]: "skip" },
    surplus: { [ANNOTATION.maxWaiting]: "0" },
    whole: { [ANNOTATION.gate]: "job" },
  };
  for (const [name, annotations] of Object.entries(witnesses)) {
    const victim = await createVictim(`victim-of-${name}`);
    await createPod(name, annotations, [victim]);
  }
  // This pod is behind the others and is served in the end: by then konductor has looked at all of them.
  await createPod("last");
  await waitFor({
    what: "the witnesses and the last one to have asked",
    withinMs: 60_000,
    async holds() {
      const { items } = await environment.client.list(LEASE_REQUESTS, { namespace }, parseLeaseRequest);
      const skip = items.find(({ spec }) => spec.holder === "skip");
      const holders = items.map(({ spec }) => spec.holder);
      return skip?.status.phase === "Denied" && ["surplus", "last"].every((name) => holders.includes(name));
    },
  });
  for (const name of ["holder", "surplus"])
    await environment.kubectl("delete", "pod", name, `--namespace=${namespace}`);
  await isHeldBy("last");

  const { items } = await environment.client.list(JOBS, { namespace });
  expect(items).toHaveLength(3);
  for (const victim of items.map(record)) {
    const { conditions } = record(victim["status"]);
    const ends = list(conditions).map((condition) => record(condition)["type"]);
    expect(ends.filter((type) => JOB_ENDS.includes(String(type)))).toEqual([]);
    expect(record(victim["spec"])["suspend"]).toBe(false);
    expect(JSON.stringify(victim["metadata"])).not.toContain("konductor.io");
  }
});
