import { writeRequestStatus } from "../../kube/lease-objects.ts";
import { LEASE_REQUESTS } from "../../kube/resources.ts";
import { isoTime, parseLeaseRequest } from "../../lease/codec.ts";
import { grantedStatus, holdTtlMs, podRefOf } from "../../lease/grant.ts";
import { type HoldLimits, holdOf, type RenewalRefusal, renewHold } from "../../lease/hold.ts";
import { requestName } from "../../lease/naming.ts";
import { claimantOf, type PodView, waitsForJob } from "../../lease/pod.ts";
import { readSettings } from "../../lease/settings.ts";
import { type Hold, keyOf, type LeaseRequest } from "../../lease/types.ts";
import { hasCode } from "../../shared/errors.ts";
import { defined } from "../../shared/json.ts";
import { LEASE_LABEL } from "../../shared/names.ts";
import type { RenewRequest } from "./messages.ts";
import type { GateApiContext } from "./options.ts";
import { liveLease, type Outcome, updateLease } from "./update-lease.ts";

export type RenewAnswer =
  | {
      ok: true;
      hold: Hold;
      /** What the keeper counts with from now on: less than the hold's, when the ttl has become shorter. */
      ttlMs: number;
    }
  | { ok: false; reason: RenewalRefusal; holder: string | undefined; message: string };

/** Renews, or confirms, the hold of `pod`. Refused only after a live look at the Lease: a keeper that is refused stops its pod. */
export async function renew(
  options: GateApiContext,
  pod: PodView,
  request: RenewRequest,
): Promise<RenewAnswer> {
  // A confirmation lets main through. If the Lease is deleted then, the request is what tells of its hold.
  if (request.gateRun !== undefined) await traceGrant(options, pod, request);
  return renewLease(options, pod, request);
}

function renewLease(
  options: GateApiContext,
  pod: PodView,
  { lease: name, token, ttlMs, gateRun }: RenewRequest,
): Promise<RenewAnswer> {
  const { namespace, uid } = pod;
  const { askedTtlMs, ...wishes } = holdLimits(pod);
  return updateLease<RenewAnswer>(options, { namespace, name }, (lease) => {
    const refuse = (reason: RenewalRefusal, because: string): Outcome<RenewAnswer> => {
      const message = `klease ${namespace}/${name} is not renewed for ${pod.name} with token ${token}: ${because}`;
      return { answer: { ok: false, reason, holder: lease?.status.hold?.holder, message }, needsLive: true };
    };
    if (!lease) return refuse("Revoked", "it was deleted");
    const wantedTtlMs = holdTtlMs(lease, askedTtlMs, pod);
    const renewal = {
      ...{ uid, token, countedTtlMs: ttlMs, wantedTtlMs, ...wishes },
      ...defined({ gateRun, node: pod.node }),
      ...(lease.status.hold?.ref.kind === "Job" && {
        shared: { job: waitsForJob(pod) ? pod.job : undefined, pod: podRefOf(pod) },
      }),
    };
    const result = renewHold(lease, renewal, options.clock.nowMs());
    if (!result.ok) return refuse(result.reason, explain(result.reason, lease.status.hold));
    return { answer: { ok: true, hold: result.hold, ttlMs: wantedTtlMs }, write: result.status };
  });
}

/** Sees to it that the pod's request shows the grant; the arbiter has mostly done so. */
async function traceGrant(
  options: GateApiContext,
  pod: PodView,
  { lease, token }: RenewRequest,
): Promise<void> {
  const claimant = claimantOf(pod);
  if (!claimant) return;
  const { namespace } = pod;
  const { uid } = claimant;
  const { client, caches } = options;
  const key = keyOf({ namespace, name: lease });
  const claim = { uid, token };
  const hold =
    holdOf(caches.leases.store.get(key), claim) ??
    holdOf(await liveLease(options, { namespace, name: lease }), claim);
  if (!hold) return;
  const name = requestName(lease, claimant);
  const isTraced = ({ status }: LeaseRequest) => status.phase === "Granted" && status.token === token;
  let found = caches.requests.store.get(keyOf({ namespace, name }));
  try {
    while (!found || !isTraced(found)) {
      found = await client.get(LEASE_REQUESTS, { namespace, name }, parseLeaseRequest);
      if (isTraced(found)) return;
      const status = grantedStatus(found, hold);
      found = await writeRequestStatus(client, found, status).catch((error: unknown) => {
        if (!hasCode(error, "Conflict")) throw error;
        return undefined;
      });
    }
  } catch (error) {
    // Deleted by somebody: the arbiter puts it back.
    if (!hasCode(error, "NotFound")) throw error;
  }
}

function explain(reason: RenewalRefusal, hold: Hold | undefined): string {
  switch (reason) {
    case "NotHolder":
      return hold
        ? `${hold.expired ? "expired" : "held"} since ${isoTime(hold.expired ? hold.expiresMs : hold.acquiredMs)} by ${hold.holder}, token ${hold.token}`
        : "nobody holds it";
    case "Revoked":
      return "an admin took it away";
    case "NotStarted":
      return "no main container started in time";
    case "MaxHold":
      return "it has been held for the whole max-hold";
    case "NotRenewable":
      return "it is not renewable";
  }
}

/** Annotations that cannot be read any more (admission once could) must not cost a running pod its hold. */
export function holdLimits({ lease = "", annotations }: PodView): RenewalWishes {
  const result = readSettings({ labels: { [LEASE_LABEL]: lease }, annotations });
  if (!result.ok) return { renew: true };
  const { renew, maxHoldMs, ttlMs } = result.settings;
  return { renew, ...defined({ maxHoldMs, askedTtlMs: ttlMs }) };
}

interface RenewalWishes extends HoldLimits {
  askedTtlMs?: number;
}
