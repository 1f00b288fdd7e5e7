import type { KubeClient } from "../kube/api.ts";
import type { Caches } from "../kube/caches.ts";
import type { EventRecorder } from "../kube/events.ts";
import { find, findPod } from "../kube/find.ts";
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
import { canUseGrant } from "../lease/pod.ts";
import { type ClaimantRef, keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { hasCode } from "../shared/errors.ts";
import { record } from "../shared/json.ts";
import { LruMap } from "../shared/lru-map.ts";
import type { Errands } from "./errands.ts";
import { deletableAtMs, type FollowUp, followUps, isTimedOut, TIMED_OUT } from "../lease/follow-ups.ts";
import type { LapseClock } from "./lapse-clock.ts";

/** The work on objects around a Lease: its requests, and the Lease itself where waiters find none. */
export interface Housekeeping {
  /** Takes every follow-up step of a Lease that is otherwise at rest. */
  follow(situation: Situation): Promise<void>;
  /**
   * Without a Lease `namespace/name`: drops those of `requests` that are over, tells pods that have waited long enough, has those wait again
   * that were granted it before they had a node, and creates it again if others wait, since somebody has deleted it; where that is
   * forbidden, says so to those who have nobody else to tell them.
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
  errands: Errands;
  events: Pick<EventRecorder, "record">;
  lapseClock: LapseClock;
  clock: Clock;
  /** Without it a Lease that somebody deleted stays away until an admin creates it again. */
  createMissingLeases: boolean;
}

export function createHousekeeping({
  client,
  caches,
  errands,
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
        return mark(step);
      case "delete":
        return remove(step.request);
      case "queueAgain":
        return queueAgain(step);
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

  /**
   * The Lease that granted it was found missing, so that no gate can confirm that grant any more. A pod that has no node after that has
   * not confirmed it before.
   */
  async function queueAgain({ request, ref }: { request: LeaseRequest; ref: ClaimantRef }): Promise<void> {
    const { namespace } = request;
    const pod = await findPod(client, { namespace, ...ref });
    if (pod?.lease !== undefined) caches.pods.apply(pod);
    if (pod && pod.node === undefined && canUseGrant(pod))
      await mark({ request, status: { phase: "Pending" } });
  }

  /** As cached. */
  function seemsUnbound({ namespace, name, uid }: ClaimantRef & { namespace: string }): boolean {
    const pod = caches.pods.store.get(keyOf({ namespace, name }));
    return pod?.uid === uid && pod.node === undefined;
  }

  async function hasChanged(lease: Lease): Promise<boolean> {
    const { namespace, name } = lease;
    const live = await client.get(LEASES, { namespace, name }, parseLease);
    caches.leases.apply(live);
    return live.resourceVersion !== lease.resourceVersion;
  }

  async function lookForRequest(
    namespace: string,
    { name, uid }: Pick<ClaimantRef, "name" | "uid">,
  ): Promise<void> {
    const found = await find(client, LEASE_REQUESTS, { namespace, name }, parseLeaseRequest);
    if (found) caches.requests.apply(found);
    if (found?.uid !== uid) gone.set(uid, true);
  }

  /** As it was seen: a client may have been granted since. One that has changed is looked at, for whoever decides about it anew. */
  async function remove(request: LeaseRequest): Promise<void> {
    try {
      await deleteRequest(client, request, { unchanged: true });
    } catch (error) {
      if (hasCode(error, "Conflict")) await lookForRequest(request.namespace, request);
      throw error;
    }
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

  /** Creating anything in a namespace that terminates is refused as Forbidden; ask before. Where nobody tells, it is tried. */
  async function isTerminating(namespace: string): Promise<boolean> {
    const object = await client.get(NAMESPACES, { name: namespace }).catch(() => undefined);
    return record(record(object)["metadata"])["deletionTimestamp"] !== undefined;
  }

  /** For the first of those who wait, if any. */
  async function createFor(waiting: readonly LeaseRequest[]): Promise<void> {
    const [first] = waiting;
    if (!first || (await isTerminating(first.namespace))) return;
    const { namespace, spec } = first;
    const ttlMs = spec.ttlMs ?? DEFAULT_TTL_MS;
    caches.leases.apply(await createLease(client, { namespace, name: spec.lease, ttlMs }));
  }

  return {
    async follow(situation) {
      const hasLapsed = (request: LeaseRequest) => lapseClock.hasLapsed(request, situation.lease.spec.ttlMs);
      const steps = followUps({ ...situation, hasLapsed });
      // The cache may show a holder who has just released, or not show yet who was granted. One look at the klease serves all, since
      // it comes after each of the requests was seen.
      if (steps.length === 0 || (await hasChanged(situation.lease))) return;
      const key = keyOf(situation.lease);
      await errands.runEach(steps, (step) =>
        errands.run({ key, ...errandOf(step) }, () => take(step, situation)),
      );
    },

    async recreate(key, requests) {
      const [namespace = "", name = ""] = key.split("/");
      if (requests.length === 0) return;
      // The cache may not show it yet.
      const live = await find(client, LEASES, { namespace, name }, parseLease);
      if (live) return caches.leases.apply(live);
      const dropping = errands.runEach(requests, async (request) => {
        const run = (what: string, work: () => Promise<void>) =>
          errands.run({ key, what, uid: request.uid }, work);
        if (isOver(request)) return run("delete", () => remove(request));
        const { ref } = request.spec;
        if (ref && request.status.phase === "Granted" && seemsUnbound({ ...ref, namespace }))
          return run("queueAgain", () => queueAgain({ request, ref }));
        if (!isTimedOut(request, clock.nowMs())) return true;
        return run("deny", () => mark({ request, status: TIMED_OUT }));
      });
      // A Job that held has nobody else to ask for it: it is suspended by now.
      const isJobs = ({ spec, status }: LeaseRequest) =>
        spec.ref?.kind === "Job" && status.phase === "Granted";
      const wants = (request: LeaseRequest) =>
        isJobs(request) || (isWaiting(request) && !isOver(request) && !isTimedOut(request, clock.nowMs()));
      const waiting = requests.filter(wants);
      if (createMissingLeases)
        await errands.run({ key, what: "create klease", uid: key }, () => createFor(waiting));
      else waiting.forEach(tellMissing);
      await dropping;
    },

    lookForRequest,
    isRequestGone: (uid) => gone.get(uid) === true,
    remove,
  };
}

/** One that is to be said of the same object another time is another errand. */
function errandOf(step: FollowUp): { what: string; uid: string } {
  if (step.do === "putBack") return { what: step.do, uid: step.ref.uid };
  const { uid } = step.request;
  return { what: "status" in step ? `${step.do} ${step.status.phase}` : step.do, uid };
}
