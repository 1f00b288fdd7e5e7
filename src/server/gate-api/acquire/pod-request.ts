import { find } from "../../../kube/find.ts";
import { LEASE_REQUESTS } from "../../../kube/resources.ts";
import { requestOf } from "../../../lease/claimant-request.ts";
import { parseLeaseRequest } from "../../../lease/codec.ts";
import { requestName } from "../../../lease/naming.ts";
import {
  isDenied,
  isSkipped,
  isWaiting,
  QUEUED_AGAIN,
  wasGranted,
  wasTakenBack,
} from "../../../lease/order.ts";
import type { PodView } from "../../../lease/pod.ts";
import type { Settings } from "../../../lease/settings.ts";
import type { LeaseRequest } from "../../../lease/types.ts";
import { keyOf } from "../../../lease/types.ts";
import { createLeaseRequest, deleteRequest, writeRequestStatus } from "../../../objects/lease-objects.ts";
import { whyNoProof } from "../../../objects/live-objects.ts";
import { hasCode, KonductorError } from "../../../shared/errors.ts";
import { isEarlierRun } from "../../../shared/gate-run.ts";
import { accountName } from "../../../shared/names.ts";
import { Refusal } from "../../refusal.ts";
import { liveLease } from "../hold/update-lease.ts";
import type { GateApiOptions } from "../options.ts";

const TRIES = 8;

/**
 * The LeaseRequest by which `pod` waits. A request that waits already keeps its place. One that had its hold, or is somebody else's, is
 * replaced. One that was passed over for not answering a grant may be granted again, since its gate asks. A denied request is the answer to
 * the run of the gate that asked, which may not have heard it; a later run asks anew, and a late earlier one changes nothing. Refuses with
 * Forbidden to ask for work that is done once if the pod's success would not prove it.
 */
export async function ensureRequest(
  options: GateApiOptions,
  pod: PodView,
  settings: Settings,
  gateRun: string | undefined,
): Promise<LeaseRequest> {
  const { client, caches, clock, systemNamespace } = options;
  const { namespace } = pod;
  const name = requestName(settings.lease, { kind: "Pod", uid: pod.uid });
  const requestedBy = accountName(systemNamespace);
  async function create(): Promise<LeaseRequest> {
    const why = await whyNoProof(client, pod, settings);
    if (why && !(await find(client, LEASE_REQUESTS, { namespace, name }, parseLeaseRequest)))
      throw new Refusal("Forbidden", why);
    if (why)
      throw new KonductorError("AlreadyExists", `the cache does not show LeaseRequest ${namespace}/${name}`);
    const wish = { nowMs: clock.nowMs(), requestedBy, gateRun };
    return createLeaseRequest(client, requestOf("Pod", pod, settings, wish));
  }
  const isOwn = ({ spec }: LeaseRequest) => spec.ref?.uid === pod.uid && spec.lease === settings.lease;
  const leaseRef = { namespace, name: settings.lease };
  let lease = caches.leases.store.get(keyOf(leaseRef));
  const isUsable = (request: LeaseRequest) =>
    isOwn(request) &&
    (isWaiting(request) || (lease !== undefined && wasTakenBack(request, lease.status))) &&
    !wasGranted(request, lease);
  const isAnswer = (request: LeaseRequest) =>
    isOwn(request) &&
    isDenied(request) &&
    gateRun !== undefined &&
    (request.spec.gateRun === gateRun || isEarlierRun(gateRun, request.spec.gateRun));
  // The trace of a hold that the cache did not show: whoever waits by this request is told of the hold.
  const isTrace = (request: LeaseRequest) => isOwn(request) && lease?.status.hold?.ref.uid === pod.uid;

  const cached = caches.requests.store.get(keyOf({ namespace, name }));
  // A request is deleted only after live looks at it and at the klease have shown that it is of no use.
  let found = cached && isUsable(cached) ? cached : undefined;
  for (let tries = 0; tries < TRIES; tries++) {
    try {
      if (found && isUsable(found)) {
        const isPassedOver = !isWaiting(found) || found.status.reason !== undefined;
        if (isPassedOver) found = await writeRequestStatus(client, found, QUEUED_AGAIN, clock.nowMs());
      } else if (!found || !(isAnswer(found) || isTrace(found) || (isOwn(found) && isSkipped(found)))) {
        if (found) await deleteRequest(client, found);
        found = await create();
      }
      caches.requests.apply(found);
      return found;
    } catch (error) {
      if (!hasCode(error, "Conflict", "AlreadyExists", "NotFound")) throw error;
      found = await find(client, LEASE_REQUESTS, { namespace, name }, parseLeaseRequest);
      lease = await liveLease(options, leaseRef);
      if (lease) caches.leases.apply(lease);
    }
  }
  const why = found?.terminating
    ? `is stuck in deletion; check its metadata.finalizers and have them removed`
    : "keeps changing; try again";
  throw new Refusal("NotReady", `LeaseRequest ${namespace}/${name} ${why}`, { retryAfterMs: 1_000 });
}
