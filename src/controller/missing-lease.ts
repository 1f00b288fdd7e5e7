import type { KubeClient } from "../kube/api.ts";
import type { EventRecorder } from "../kube/events.ts";
import { find } from "../kube/find.ts";
import { LEASES } from "../kube/resources.ts";
import { parseLease } from "../lease/codec.ts";
import { deletableAtMs, isTimedOut, TIMED_OUT } from "../lease/follow-ups.ts";
import { aboutRequest } from "../lease/log-fields.ts";
import { isAlreadyDone } from "../lease/once.ts";
import { isWaiting } from "../lease/order.ts";
import { type ClaimantRef, DEFAULT_TTL_MS, keyOf, type LeaseRequest } from "../lease/types.ts";
import type { Caches } from "../objects/caches.ts";
import { createLease } from "../objects/lease-objects.ts";
import { leaseMissing } from "../objects/lease-reporter.ts";
import { isTerminating } from "../objects/live-objects.ts";
import type { Clock } from "../shared/clock.ts";
import type { Errands } from "./errands.ts";
import type { LapseClock } from "./lapse-clock.ts";
import type { LiveRequests } from "./live-requests.ts";

export interface MissingLeaseOptions {
  client: KubeClient;
  caches: Pick<Caches, "leases" | "pods">;
  errands: Errands;
  events: Pick<EventRecorder, "record">;
  liveRequests: LiveRequests;
  lapseClock: LapseClock;
  clock: Clock;
  /** Without it a Lease that somebody deleted stays away until an admin creates it again. */
  createMissingLeases: boolean;
}

/**
 * If there is no Lease `namespace/name`: deletes those of `requests` that are over, denies those whose wait-timeout has passed, and has pods
 * wait again that were granted it before they had a node. Recreates the Lease if others wait, since somebody has deleted it; where that is
 * forbidden, tells those waiters that nobody else tells.
 */
export type Recreate = (key: string, requests: readonly LeaseRequest[]) => Promise<void>;

export function createMissingLease(options: MissingLeaseOptions): Recreate {
  const { client, caches, errands, events, liveRequests, lapseClock, clock, createMissingLeases } = options;

  /** Whether a client's request without a Lease can be forgotten. */
  function isOver(request: LeaseRequest): boolean {
    if (request.spec.ref || request.terminating) return false;
    if (request.status.phase === "Granted") return lapseClock.hasLapsed(request, DEFAULT_TTL_MS);
    return deletableAtMs(request) < clock.nowMs();
  }

  /** Whether it has no node, as cached. */
  function seemsUnbound({ namespace, name, uid }: ClaimantRef & { namespace: string }): boolean {
    const pod = caches.pods.store.get(keyOf({ namespace, name }));
    return pod?.uid === uid && pod.node === undefined;
  }

  /** Whether its claimant still wants the Lease. A Job that held is suspended by now, and nobody else asks for it. */
  function wants(request: LeaseRequest): boolean {
    const { spec, status } = request;
    if (spec.ref?.kind === "Job" && status.phase === "Granted") return true;
    // The Lease that has noted its work is gone.
    if (spec.ref && isAlreadyDone(request)) return true;
    return isWaiting(request) && !isOver(request) && !isTimedOut(request, clock.nowMs());
  }

  /** A gate that runs asks by itself, and its pod is told then. */
  function tellMissing({ namespace, spec: { lease, ref } }: LeaseRequest): void {
    if (!ref) return;
    const { kind, name, uid } = ref;
    if (kind === "Pod" && !caches.pods.store.get(keyOf({ namespace, name }))?.gated) return;
    const apiVersion = kind === "Job" ? "batch/v1" : "v1";
    events.record(leaseMissing({ apiVersion, kind, namespace, name, uid }, lease));
  }

  /** Creates the Lease for the first waiter, if any. */
  async function createFor([first]: readonly LeaseRequest[]): Promise<void> {
    if (!first || (await isTerminating(client, first.namespace))) return;
    const { namespace, spec } = first;
    const ttlMs = spec.ttlMs ?? DEFAULT_TTL_MS;
    caches.leases.apply(await createLease(client, { namespace, name: spec.lease, ttlMs }));
  }

  /** Does what one request needs by itself. */
  async function look(key: string, request: LeaseRequest): Promise<boolean> {
    const { namespace, uid, spec, status } = request;
    const about = aboutRequest(request);
    const run = (what: string, work: () => Promise<void>) => errands.run({ key, what, uid, about }, work);
    if (isOver(request)) return run("delete", () => liveRequests.remove(request));
    const { ref } = spec;
    if (ref && status.phase === "Granted" && seemsUnbound({ ...ref, namespace }))
      return run("queueAgain", () => liveRequests.queueAgain(request, ref));
    return !isTimedOut(request, clock.nowMs()) || run("deny", () => liveRequests.mark(request, TIMED_OUT));
  }

  return async (key, requests) => {
    const [namespace = "", name = ""] = key.split("/");
    if (requests.length === 0) return;
    // The cache may not show it yet.
    const live = await find(client, LEASES, { namespace, name }, parseLease);
    if (live) return caches.leases.apply(live);
    const looking = errands.runEach(requests, (request) => look(key, request));
    const waiting = requests.filter(wants);
    if (createMissingLeases)
      await errands.run({ key, what: "create klease", uid: key }, () => createFor(waiting));
    else waiting.forEach(tellMissing);
    await looking;
  };
}
