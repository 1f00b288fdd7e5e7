import type { KubeClient } from "../kube/api.ts";
import type { Caches } from "../kube/caches.ts";
import { find } from "../kube/find.ts";
import { createLease, createLeaseRequest, deleteRequest, writeRequestStatus } from "../kube/lease-objects.ts";
import { LEASE_REQUESTS, NAMESPACES } from "../kube/resources.ts";
import { DEFAULT_TTL_MS, parseLeaseRequest } from "../lease/codec.ts";
import type { Situation } from "../lease/decide.ts";
import { isWaiting } from "../lease/order.ts";
import type { ClaimantRef, LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { hasCode } from "../shared/errors.ts";
import { record } from "../shared/json.ts";
import { LruMap } from "../shared/lru-map.ts";
import { type FollowUp, followUps } from "./follow-ups.ts";

/** The work on objects around a Lease: its requests, and the Lease itself where waiters find none. */
export interface Housekeeping {
  /** Takes every follow-up step of a Lease that is otherwise at rest. */
  follow(situation: Situation): Promise<void>;
  /** Creates the Lease `namespace/name` again that somebody deleted while `requests` wait for it. */
  recreate(key: string, requests: readonly LeaseRequest[]): Promise<void>;
  /** Asks the API server whether this request is still there; see `isRequestGone`. */
  lookForRequest(namespace: string, ref: ClaimantRef): Promise<void>;
  /** Whether a live look, or a deletion of our own, has shown that it is gone. */
  isRequestGone(uid: string): boolean;
  /** Deletes this request; from then on it counts as gone, also while the cache still shows it. */
  remove(request: LeaseRequest): Promise<void>;
}

export interface HousekeepingOptions {
  client: KubeClient;
  caches: Pick<Caches, "requests" | "leases">;
  clock: Clock;
  /** Without it a Lease that somebody deleted stays away until an admin creates it again. */
  createMissingLeases: boolean;
}

export function createHousekeeping({
  client,
  caches,
  clock,
  createMissingLeases,
}: HousekeepingOptions): Housekeeping {
  const gone = new LruMap<string, true>(10_000);

  async function take(step: FollowUp, { lease }: Situation): Promise<void> {
    switch (step.do) {
      case "markGranted": {
        const status = { phase: "Granted", token: step.token } as const;
        return caches.requests.apply(await writeRequestStatus(client, step.request, status));
      }
      case "delete":
        return remove(step.request);
      case "putBack": {
        if (await isTerminating(lease.namespace)) return;
        const { kind, name, uid } = step.ref;
        const created = await createLeaseRequest(client, {
          namespace: lease.namespace,
          name: step.name,
          spec: {
            lease: lease.name,
            holder: step.holder,
            ref: { kind, name, uid },
            requestedAtMs: lease.status.hold?.acquiredMs ?? clock.nowMs(),
          },
        });
        return caches.requests.apply(created);
      }
    }
  }

  async function remove(request: LeaseRequest): Promise<void> {
    await deleteRequest(client, request);
    gone.set(request.uid, true);
  }

  /** Creating anything in a namespace that terminates is refused as Forbidden; ask before. */
  async function isTerminating(namespace: string): Promise<boolean> {
    const object = await client.get(NAMESPACES, { name: namespace });
    return record(record(object)["metadata"])["deletionTimestamp"] !== undefined;
  }

  return {
    async follow(situation) {
      for (const step of followUps(situation)) {
        try {
          await take(step, situation);
        } catch (error) {
          // Somebody was faster; the watch brings what is true now.
          if (!hasCode(error, "Conflict", "NotFound", "AlreadyExists")) throw error;
        }
      }
    },

    async recreate(key, requests) {
      const [namespace = "", name = ""] = key.split("/");
      const first = requests.find(isWaiting);
      if (!first || !createMissingLeases || (await isTerminating(namespace))) return;
      try {
        const ttlMs = first.spec.ttlMs ?? DEFAULT_TTL_MS;
        caches.leases.apply(await createLease(client, { namespace, name, ttlMs }));
      } catch (error) {
        if (!hasCode(error, "AlreadyExists")) throw error;
      }
    },

    async lookForRequest(namespace, ref) {
      const found = await find(client, LEASE_REQUESTS, { namespace, name: ref.name }, parseLeaseRequest);
      if (found) caches.requests.apply(found);
      if (found?.uid !== ref.uid) gone.set(ref.uid, true);
    },

    isRequestGone: (uid) => gone.get(uid) === true,
    remove,
  };
}
