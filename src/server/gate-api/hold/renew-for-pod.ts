import { LEASE_REQUESTS } from "../../../kube/resources.ts";
import { parseLeaseRequest } from "../../../lease/codec.ts";
import { grantedStatus, holdTtlMs, podRefOf } from "../../../lease/grant.ts";
import { holdOf, isStopping } from "../../../lease/hold.ts";
import { type HoldLimits, leftUnwrittenMs, renewHold } from "../../../lease/hold-renewal.ts";
import { requestName } from "../../../lease/naming.ts";
import { claimantOf, hasPassed, type PodView, waitsForJob } from "../../../lease/pod.ts";
import { type Hold, keyOf, type LeaseRequest } from "../../../lease/types.ts";
import { writeRequestStatus } from "../../../objects/lease-objects.ts";
import { findPod } from "../../../objects/live-objects.ts";
import { hasCode, isRenewalLimit, type RenewalRefusal } from "../../../shared/errors.ts";
import { defined } from "../../../shared/json.ts";
import { isoTime } from "../../../shared/times.ts";
import type { GateApiContext } from "../options.ts";
import { requireLivePod } from "../wire/caller.ts";
import type { RenewRequest } from "../wire/messages.ts";
import { liveLease, type Outcome, updateLease } from "./update-lease.ts";

export type RenewAnswer =
  | {
      ok: true;
      hold: Hold;
      /** The ttl that the keeper counts with from now on: less than the hold's, when the ttl has become shorter. */
      ttlMs: number;
    }
  | { ok: false; reason: RenewalRefusal; holder: string | undefined; message: string };

/**
 * Renews, or confirms, the hold of `pod`. Refuses only after a live look at the Lease, and at the pod where its annotations are the reason:
 * a keeper that is refused stops its pod.
 */
export async function renew(
  options: GateApiContext,
  pod: PodView,
  request: RenewRequest,
): Promise<RenewAnswer> {
  if (hasPassed(pod, request.gateRun))
    return refusalOf(pod, request, "NotHolder", "its gate has ended", undefined);
  // A confirmation lets main through. If the Lease is deleted after that, only the request shows the hold.
  if (request.gateRun !== undefined) await traceGrant(options, pod, request);
  const answer = await renewLease(options, pod, request, "stopping");
  // Renewing takes back the keeper's word that its pod ends. So look live: a cache may still show a pod that is gone.
  if (answer === "stopping") return renewLease<never>(options, await requireLivePod(options, pod), request);
  // The cache may also show a limit that the user has lifted since.
  const live = isLimited(answer) ? await findPod(options.client, pod) : undefined;
  return live ? renewLease<never>(options, live, request) : answer;
}

const isLimited = (answer: RenewAnswer) => !answer.ok && isRenewalLimit(answer.reason);

/** `ifStopping`: the answer where the keeper has said that the pod is being stopped; without it the renewal takes that back. */
function renewLease<T extends string = never>(
  options: GateApiContext,
  pod: PodView,
  request: RenewRequest,
  ifStopping?: T,
): Promise<RenewAnswer | T> {
  const { lease: name, token, ttlMs, gateRun, keeperSince } = request;
  const { namespace, uid } = pod;
  const { askedTtlMs, ...wishes } = holdLimits(pod);
  const { clock, renewals } = options;
  return updateLease<RenewAnswer | T>(options, { namespace, name }, (lease) => {
    const refuse = (reason: RenewalRefusal, because: string): Outcome<RenewAnswer> => ({
      answer: refusalOf(pod, request, reason, because, lease?.status.hold),
      needsLive: true,
    });
    if (!lease) return refuse("Revoked", "it was deleted");
    if (ifStopping && isStopping(lease.status.hold, uid)) return { answer: ifStopping };
    const wantedTtlMs = holdTtlMs(lease, askedTtlMs, pod);
    const renewal = {
      ...{ uid, token, countedTtlMs: ttlMs, wantedTtlMs, ...wishes },
      ...defined({ gateRun, keeperSince, node: pod.node }),
      ...(lease.status.hold?.ref.kind === "Job" && {
        shared: { job: waitsForJob(pod) ? pod.job : undefined, pod: podRefOf(pod) },
      }),
    };
    const { hold } = lease.status;
    const result = renewHold(lease, renewal, clock.nowMs());
    if (!result.ok) return refuse(result.reason, explain(result.reason, hold));
    const leftMs = hold && leftUnwrittenMs(hold, result.hold, renewals.agoMs(lease, hold));
    if (hold && leftMs !== undefined)
      return { answer: { ok: true, hold, ttlMs: Math.min(leftMs, wantedTtlMs) } };
    const sentMs = clock.monotonicMs();
    return {
      answer: { ok: true, hold: result.hold, ttlMs: wantedTtlMs },
      write: result.status,
      onWritten: () => renewals.note(lease, result.hold, sentMs),
    };
  });
}

function refusalOf(
  { namespace, name }: PodView,
  { lease, token }: RenewRequest,
  reason: RenewalRefusal,
  because: string,
  hold: Hold | undefined,
): RenewAnswer {
  const message = `klease ${namespace}/${lease} is not renewed for ${name} with token ${token}: ${because}`;
  return { ok: false, reason, holder: hold?.holder, message };
}

/**
 * Ensures that the pod's request shows the grant; the arbiter has mostly done so. A late confirmation may find a request that is about
 * another grant, which is left as it is.
 */
async function traceGrant(
  options: GateApiContext,
  pod: PodView,
  { lease, token }: RenewRequest,
): Promise<void> {
  const claimant = claimantOf(pod);
  if (!claimant) return;
  const { namespace } = pod;
  const { uid } = claimant;
  const { client, caches, clock } = options;
  const name = requestName(lease, claimant);
  const isTraced = ({ status }: LeaseRequest) => status.phase === "Granted" && status.token === token;
  let found = caches.requests.store.get(keyOf({ namespace, name }));
  try {
    while (!found || !isTraced(found)) {
      found = await client.get(LEASE_REQUESTS, { namespace, name }, parseLeaseRequest);
      if (isTraced(found)) return;
      // The Lease is read after the request: a request that came when the hold was over is the pod's next one.
      const hold = holdOf(await liveLease(options, { namespace, name: lease }), { uid, token });
      if (!hold) return;
      const status = grantedStatus(found, hold);
      found = await writeRequestStatus(client, found, status, clock.nowMs()).catch((error: unknown) => {
        if (!hasCode(error, "Conflict")) throw error;
        return undefined;
      });
    }
  } catch (error) {
    // Somebody deleted the request: the arbiter puts it back.
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
    case "CrashLooping":
      return "its main container crash-loops, and others wait";
    case "MaxHold":
      return "it has been held for the whole max-hold";
    case "NotRenewable":
      return "it is not renewable";
  }
}

/** Annotations that cannot be read (admission once accepted them) must not cost a running pod its hold. */
export function holdLimits({ settings: read }: PodView): RenewalWishes {
  if (!read.ok) return { renew: true };
  const { renew, maxHoldMs, ttlMs } = read.settings;
  return { renew, ...defined({ maxHoldMs, askedTtlMs: ttlMs }) };
}

interface RenewalWishes extends HoldLimits {
  askedTtlMs?: number;
}
