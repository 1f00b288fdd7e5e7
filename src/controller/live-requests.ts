import type { KubeClient } from "../kube/api.ts";
import { find } from "../kube/find.ts";
import { listAll } from "../kube/list-pages.ts";
import { LEASE_REQUESTS } from "../kube/resources.ts";
import { parseLeaseRequest } from "../lease/codec.ts";
import { QUEUED_AGAIN } from "../lease/order.ts";
import { canUseGrant } from "../lease/pod.ts";
import { type ClaimantRef, keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import type { Caches } from "../objects/caches.ts";
import { deleteRequest, writeRequestStatus } from "../objects/lease-objects.ts";
import { findPod } from "../objects/live-objects.ts";
import type { Clock } from "../shared/clock.ts";
import { hasCode } from "../shared/errors.ts";
import { LruMap } from "../shared/lru-map.ts";
import { LEASE_LABEL } from "../shared/names.ts";

/** The arbiter's writes of single LeaseRequests, and which of them are known to be gone, whatever the cache shows. */
export interface LiveRequests {
  /** Asks the API server whether this request is still there; see `isGone`. */
  look(namespace: string, ref: Pick<ClaimantRef, "name" | "uid">): Promise<void>;
  /** Looks at all of `requests`, which are for this Lease, by one list. Resolves with those that are still there, as they are now. */
  lookAtAll(
    lease: Pick<Lease, "namespace" | "name">,
    requests: readonly LeaseRequest[],
  ): Promise<LeaseRequest[]>;
  /** How long ago the last answered look began; infinite: there was none. */
  lookedAgoMs(uid: string): number;
  /** Whether a live look, or a deletion of our own, has shown that it is gone. */
  isGone(uid: string): boolean;
  /**
   * Deletes this request if it is unchanged: a client may have been granted since. From then on it counts as gone. A changed request is
   * read live, for whoever decides about it anew.
   */
  remove(request: LeaseRequest): Promise<void>;
  /** Writes a status computed from this version of the request. */
  mark(request: LeaseRequest, status: LeaseRequest["status"]): Promise<void>;
  /**
   * Has a Job's request wait again; or a pod's, if a live look finds the pod without a node. Its grant was taken back; or its Lease was found
   * missing, so that no gate can confirm the grant any more, and a pod that has no node after that has not confirmed it before.
   */
  queueAgain(request: LeaseRequest, ref: ClaimantRef): Promise<void>;
}

const REMEMBERED_REQUESTS = 10_000;

export function createLiveRequests({
  client,
  caches,
  clock,
}: {
  client: KubeClient;
  caches: Pick<Caches, "requests" | "pods">;
  clock: Pick<Clock, "nowMs" | "monotonicMs">;
}): LiveRequests {
  const gone = new LruMap<string, true>(REMEMBERED_REQUESTS);
  const lookedAtMs = new LruMap<string, number>(REMEMBERED_REQUESTS);

  async function look(namespace: string, { name, uid }: Pick<ClaimantRef, "name" | "uid">): Promise<void> {
    const beganAtMs = clock.monotonicMs();
    const found = await find(client, LEASE_REQUESTS, { namespace, name }, parseLeaseRequest);
    lookedAtMs.set(uid, beganAtMs);
    if (found) caches.requests.apply(found);
    if (found?.uid !== uid) gone.set(uid, true);
  }

  async function lookAtAll(
    { namespace, name }: Pick<Lease, "namespace" | "name">,
    requests: readonly LeaseRequest[],
  ): Promise<LeaseRequest[]> {
    const scope = { namespace, labelSelector: `${LEASE_LABEL}=${name}` };
    const listed = new Map<string, LeaseRequest>();
    for (const request of await listAll(client, LEASE_REQUESTS, scope, parseLeaseRequest)) {
      caches.requests.apply(request);
      listed.set(request.uid, request);
    }
    // One that was made while no webhook could label it is in no such list.
    for (const request of requests) if (!listed.has(request.uid)) await look(namespace, request);
    return requests.flatMap((request) => {
      const known = listed.get(request.uid) ?? caches.requests.store.get(keyOf(request));
      return known?.uid === request.uid && !gone.get(request.uid) ? known : [];
    });
  }

  async function mark(request: LeaseRequest, status: LeaseRequest["status"]): Promise<void> {
    caches.requests.apply(await writeRequestStatus(client, request, status, clock.nowMs()));
  }

  return {
    look,
    lookAtAll,
    lookedAgoMs: (uid) => clock.monotonicMs() - (lookedAtMs.get(uid) ?? Number.NEGATIVE_INFINITY),
    isGone: (uid) => gone.get(uid) === true,
    async remove(request) {
      try {
        await deleteRequest(client, request, { unchanged: true });
      } catch (error) {
        if (hasCode(error, "Conflict")) await look(request.namespace, request);
        throw error;
      }
      gone.set(request.uid, true);
    },
    mark,
    async queueAgain(request, ref) {
      const { namespace } = request;
      if (ref.kind === "Job") return mark(request, QUEUED_AGAIN);
      const pod = await findPod(client, { namespace, ...ref });
      if (pod?.lease !== undefined) caches.pods.apply(pod);
      if (pod && pod.node === undefined && canUseGrant(pod)) await mark(request, QUEUED_AGAIN);
    },
  };
}
