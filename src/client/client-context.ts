import type { KubeClient } from "../kube/api.ts";
import { find } from "../kube/find.ts";
import { LEASE_REQUESTS, LEASES, type Resource } from "../kube/resources.ts";
import type { ServerClock } from "../kube/server-clock.ts";
import { parseLease, parseLeaseRequest } from "../lease/codec.ts";
import type { Lease, LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { hasCode } from "../shared/errors.ts";
import { record, text } from "../shared/json.ts";
import { type Followed, follow } from "./follow.ts";

/** What the parts of a lease client work with. */
export interface ClientContext {
  client: KubeClient;
  namespace: string;
  clock: Clock;
  server: ServerClock;
  /** Our own name, as the API server knows it. */
  user(): Promise<string>;
  random: () => number;
}

const SELF_SUBJECT_REVIEWS: Resource = {
  group: "authentication.k8s.io",
  version: "v1",
  plural: "selfsubjectreviews",
  kind: "SelfSubjectReview",
  namespaced: false,
};

/** Asks who we are once, and only if it matters. */
export function askUser(client: KubeClient): () => Promise<string> {
  let asked: Promise<string> | undefined;
  const ask = async (): Promise<string> => {
    const review = record(await client.create(SELF_SUBJECT_REVIEWS, {}));
    return text(record(record(review["status"])["userInfo"])["username"]) ?? "";
  };
  return () => {
    asked ??= ask();
    return asked;
  };
}

/** The klease as the API server has it now. */
export async function findLease(
  { client, namespace, server }: ClientContext,
  name: string,
  signal?: AbortSignal,
): Promise<Lease | undefined> {
  try {
    return await client.get(LEASES, { namespace, name }, parseLease, { signal, onResponse: server.observe });
  } catch (error) {
    if (!hasCode(error, "NotFound")) throw error;
    return undefined;
  }
}

/** The request as the API server has it now. */
export function findRequest(
  { client, namespace }: ClientContext,
  name: string,
): Promise<LeaseRequest | undefined> {
  return find(client, LEASE_REQUESTS, { namespace, name }, parseLeaseRequest);
}

/** Follows one klease; `from` is the version that was read last. */
export function followLease(
  { client, clock, namespace, random }: ClientContext,
  name: string,
  signal: AbortSignal,
  from?: Lease,
): Followed<Lease> {
  const start = from && { from };
  return follow({
    ...{ client, clock, namespace, random, signal, ...start },
    resource: LEASES,
    selector: { name },
    parse: parseLease,
  });
}
