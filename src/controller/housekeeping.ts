import type { KubeClient } from "../kube/api.ts";
import type { Caches } from "../kube/caches.ts";
import type { EventRecorder } from "../kube/events.ts";
import { find } from "../kube/find.ts";
import {
  createLease,
  deleteRequest,
  ensureClaimantRequest,
  writeRequestStatus,
} from "../kube/lease-objects.ts";
import { leaseMissing } from "../kube/lease-reporter.ts";
import { LEASE_REQUESTS, LEASES, NAMESPACES } from "../kube/resources.ts";
import { DEFAULT_TTL_MS, parseLease, parseLeaseRequest } from "../lease/codec.ts";
import type { Situation } from "../lease/decision.ts";
import { isWaiting } from "../lease/order.ts";
import { type ClaimantRef, keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { hasCode } from "../shared/errors.ts";
import { record } from "../shared/json.ts";
import { LruMap } from "../shared/lru-map.ts";
import { deletableAtMs, type FollowUp, followUps, isTimedOut, TIMED_OUT } from "./follow-ups.ts";
import type { LapseClock } from "./lapse-clock.ts";

/** The work on objects around a Lease: its requests, and the Lease itself where waiters find none. */
export interface Housekeeping {
  /** Takes every follow-up step of a Lease that is otherwise at rest. */
  follow(situation: Situation): Promise<void>;
  /**
   * Without a Lease `namespace/name`: drops those of `requests` that are over, tells pods that have waited long enough, and creates
   * it again if others wait, since somebody has deleted it; where that is forbidden, says so to those who have nobody else to tell them.
   */
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
  caches: Pick<Caches, "requests" | "leases" | "pods">;
  events: Pick<EventRecorder, "record">;
  lapseClock: LapseClock;
  clock: Clock;
  /** Without it a Lease that somebody deleted stays away until an admin creates it again. */
  createMissingLeases: boolean;
}

export function createHousekeeping({
  client,
  caches,
  events,
  lapseClock,
  clock,
  createMissingLeases,
}: HousekeepingOptions): Housekeeping {
  const gone = new LruMap<string, true>(10_000);

  async function take(step: FollowUp, { lease }: Situation): Promise<void> {
    switch (step.do) {
      case "deny":
      case "mark":
        // The cache may show a holder who has just released, or not show yet who was granted.
        if (step.status.phase !== "Granted" && (await hasChanged(lease))) return;
        return mark(step);
      case "delete":
        return remove(step.request);
      case "putBack": {
        if (await isTerminating(lease.namespace)) return;
        const { kind, name, uid } = step.ref;
        const created = await ensureClaimantRequest(client, {
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

  async function mark({
    request,
    status,
  }: Pick<FollowUp & { do: "mark" }, "request" | "status">): Promise<void> {
    caches.requests.apply(await writeRequestStatus(client, request, status));
  }

  async function hasChanged(lease: Lease): Promise<boolean> {
    const { namespace, name } = lease;
    const live = await client.get(LEASES, { namespace, name }, parseLease);
    caches.leases.apply(live);
    return live.resourceVersion !== lease.resourceVersion;
  }

  /** As it was seen: a client may have been granted since. */
  async function remove(request: LeaseRequest): Promise<void> {
    await deleteRequest(client, request, { unchanged: true });
    gone.set(request.uid, true);
  }

  /** Whether a client's request without a Lease can be forgotten. */
  function isOver(request: LeaseRequest): boolean {
    if (request.spec.ref || request.terminating) return false;
    if (request.status.phase === "Granted") return lapseClock.hasLapsed(request, DEFAULT_TTL_MS);
    return deletableAtMs(request) < clock.nowMs();
  }

  /** A gate that runs asks by itself, and its pod is told then. */
  function tellMissing({ namespace, spec: { lease, ref } }: LeaseRequest): void {
    if (!ref) return;
    const { kind, name, uid } = ref;
    if (kind === "Pod" && !caches.pods.store.get(keyOf({ namespace, name }))?.gated) return;
    const apiVersion = kind === "Job" ? "batch/v1" : "v1";
    events.record(leaseMissing({ apiVersion, kind, namespace, name, uid }, lease));
  }

  /** Creating anything in a namespace that terminates is refused as Forbidden; ask before. */
  async function isTerminating(namespace: string): Promise<boolean> {
    const object = await client.get(NAMESPACES, { name: namespace });
    return record(record(object)["metadata"])["deletionTimestamp"] !== undefined;
  }

  return {
    async follow(situation) {
      const hasLapsed = (request: LeaseRequest) => lapseClock.hasLapsed(request, situation.lease.spec.ttlMs);
      for (const step of followUps({ ...situation, hasLapsed })) {
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
      if (requests.length === 0) return;
      // The cache may not show it yet.
      const live = await find(client, LEASES, { namespace, name }, parseLease);
      if (live) return caches.leases.apply(live);
      for (const request of requests) {
        if (isOver(request)) await remove(request);
        else if (isTimedOut(request, clock.nowMs())) await mark({ request, status: TIMED_OUT });
      }
      // A Job that held has nobody else to ask for it: it is suspended by now.
      const isJobs = ({ spec, status }: LeaseRequest) =>
        spec.ref?.kind === "Job" && status.phase === "Granted";
      const wants = (request: LeaseRequest) =>
        isJobs(request) || (isWaiting(request) && !isOver(request) && !isTimedOut(request, clock.nowMs()));
      const waiting = requests.filter(wants);
      if (!createMissingLeases) return waiting.forEach(tellMissing);
      const [first] = waiting;
      if (!first || (await isTerminating(namespace))) return;
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
