import { JOBS, LEASE_REQUESTS, LEASES, PODS } from "../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../src/lease/codec.ts";
import { type PodView, parsePod } from "../../src/lease/pod.ts";
import type { Lease, LeaseRequest } from "../../src/lease/types.ts";
import { list, record } from "../../src/shared/json.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Environment } from "./environment.ts";

type Reader = Pick<Environment, "client">;

export function readLease({ client }: Reader, namespace: string, name: string): Promise<Lease> {
  return client.get(LEASES, { namespace, name }, parseLease);
}

export async function readRequests({ client }: Reader, namespace: string): Promise<LeaseRequest[]> {
  return (await client.list(LEASE_REQUESTS, { namespace }, parseLeaseRequest)).items;
}

export async function readPods({ client }: Reader, namespace: string): Promise<PodView[]> {
  return (await client.list(PODS, { namespace }, parsePod)).items;
}

/** Resolves with the Lease once it satisfies `wanted`. While the Lease does not exist, waits. */
export async function waitForLease(
  environment: Reader,
  {
    namespace,
    name,
    what,
    withinMs = 60_000,
  }: { namespace: string; name: string; what: string; withinMs?: number },
  wanted: (lease: Lease) => boolean,
): Promise<Lease> {
  let last: Lease | undefined;
  const holds = async () => {
    last = await readLease(environment, namespace, name);
    return wanted(last);
  };
  try {
    await waitFor({ what, withinMs, holds });
  } catch (cause) {
    throw new Error(`klease ${namespace}/${name} is ${JSON.stringify(last?.status)}`, { cause });
  }
  if (!last) throw new Error(`klease ${namespace}/${name} was never read`);
  return last;
}

/** Resolves when every Job of the namespace has ended, with the names of the failed Jobs. */
export async function waitForJobs(
  { client }: Reader,
  namespace: string,
  withinMs = 120_000,
): Promise<{ failed: string[] }> {
  const failed: string[] = [];
  await waitFor({
    what: `every Job in ${namespace} to end`,
    withinMs,
    async holds() {
      failed.length = 0;
      const jobs = (await client.list(JOBS, { namespace })).items.map(record);
      return jobs.every((job) => {
        const conditions = list(record(job["status"])["conditions"]).map(record);
        const is = (type: string) =>
          conditions.some((each) => each["type"] === type && each["status"] === "True");
        if (is("Failed")) failed.push(String(record(job["metadata"])["name"]));
        return is("Complete") || is("Failed");
      });
    },
  });
  return { failed };
}

/** Resolves with the line of `kubectl describe` that bears an event of this reason by konductor. */
export async function describedEvent(
  { kubectl }: Environment,
  {
    namespace,
    what,
    reason,
    withinMs = 30_000,
  }: { namespace: string; what: string; reason: string; withinMs?: number },
): Promise<string> {
  let line: string | undefined;
  await waitFor({
    what: `an event ${reason} on ${what}`,
    withinMs,
    async holds() {
      const described = await kubectl("-n", namespace, "describe", what);
      line = described
        .split("\n")
        .find((each) => new RegExp(`^ +(Normal|Warning) +${reason} .*konductor`).test(each));
      return line !== undefined;
    },
  });
  return line ?? "";
}
