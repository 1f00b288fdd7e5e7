/**
 * The attacker may create pods in one namespace (RBAC: create on pods, and nothing else). She names somebody else's unlabelled Job as the owner of
 * her pods.
 */

import { expect } from "vitest";
import { JOBS, LEASE_REQUESTS, LEASES } from "../../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../../src/lease/codec.ts";
import { JOB_ENDS, parseJob } from "../../../src/lease/job.ts";
import { list, record } from "../../../src/shared/json.ts";
import { ANNOTATION, LEASE_LABEL } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Environment, Scenario } from "../environment.ts";
import { BUSYBOX_IMAGE } from "../workload.ts";

const LEASE = "trap";
const SLEEPS = { name: "main", image: BUSYBOX_IMAGE, command: ["sleep", "600"] };
const WITNESSES = {
  skip: { [ANNOTATION.ifHeld]: "skip" },
  surplus: { [ANNOTATION.maxWaiting]: "0" },
  whole: { [ANNOTATION.gate]: "job" },
};

interface Place extends Environment {
  readonly namespace: string;
}

/** Creates a pod as mallory. */
function createPod(
  { kubectl, namespace }: Place,
  name: string,
  annotations = {},
  ownerReferences: object[] = [],
): Promise<string> {
  const metadata = { name, namespace, labels: { [LEASE_LABEL]: LEASE }, annotations, ownerReferences };
  const spec = { restartPolicy: "Never", terminationGracePeriodSeconds: 2, containers: [SLEEPS] };
  const pod = { apiVersion: "v1", kind: "Pod", metadata, spec };
  return kubectl.withObject(pod, "create", "--as=mallory");
}

async function createVictim({ client, namespace }: Place, name: string) {
  const spec = { template: { spec: { restartPolicy: "Never", containers: [SLEEPS] } } };
  await client.create(JOBS, { metadata: { namespace, name }, spec });
  const { uid } = await client.get(JOBS, { namespace, name }, parseJob);
  return { apiVersion: "batch/v1", kind: "Job", name, uid, controller: true };
}

const waitForHolder = ({ client, namespace }: Place, holder: string) =>
  waitFor({
    what: `klease ${LEASE} to be held by ${holder}`,
    withinMs: 60_000,
    holds: async () =>
      (await client.get(LEASES, { namespace, name: LEASE }, parseLease)).status.hold?.holder === holder,
  });

export const falseWitnesses: Scenario[] = [
  {
    name: "a pod that names a Job as its owner is no evidence about that Job",
    async run(environment) {
      const namespace = await environment.createNamespace();
      const place: Place = { ...environment, namespace };
      const { kubectl, client } = environment;
      const within = `--namespace=${namespace}`;
      await kubectl("create", "role", "pods", within, "--verb=create", "--resource=pods");
      await kubectl("create", "rolebinding", "mallory", within, "--role=pods", "--user=mallory");
      await createPod(place, "holder");
      await waitForHolder(place, "holder");
      for (const [name, annotations] of Object.entries(WITNESSES)) {
        const victim = await createVictim(place, `victim-of-${name}`);
        await createPod(place, name, annotations, [victim]);
      }
      // This pod is behind the others and is served in the end: by then konductor has looked at all of them.
      await createPod(place, "last");
      await waitFor({
        what: "the witnesses and the last one to have asked",
        withinMs: 60_000,
        async holds() {
          const { items } = await client.list(LEASE_REQUESTS, { namespace }, parseLeaseRequest);
          const skip = items.find(({ spec }) => spec.holder === "skip");
          const holders = items.map(({ spec }) => spec.holder);
          return (
            skip?.status.phase === "Denied" && ["surplus", "last"].every((name) => holders.includes(name))
          );
        },
      });
      for (const name of ["holder", "surplus"]) await kubectl("delete", "pod", name, within);
      await waitForHolder(place, "last");

      const { items } = await client.list(JOBS, { namespace });
      expect(items).toHaveLength(3);
      for (const victim of items.map(record)) {
        const { conditions } = record(victim["status"]);
        const ends = list(conditions).map((condition) => record(condition)["type"]);
        expect(ends.filter((type) => JOB_ENDS.includes(String(type)))).toEqual([]);
        expect(record(victim["spec"])["suspend"]).toBe(false);
        expect(JSON.stringify(victim["metadata"])).not.toContain("konductor.io");
      }
    },
  },
];
