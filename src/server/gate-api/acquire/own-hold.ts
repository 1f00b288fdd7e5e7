import { regrantHold } from "../../../lease/grant.ts";
import { endFor, endHold, holdOf, isUsable } from "../../../lease/hold.ts";
import { canUseGrant, type PodView } from "../../../lease/pod.ts";
import type { Hold, Lease } from "../../../lease/types.ts";
import { keyOf } from "../../../lease/types.ts";
import { BY_LEASE } from "../../../objects/caches.ts";
import { isLaterRun } from "../../../shared/gate-run.ts";
import { updateLease } from "../hold/update-lease.ts";
import type { GateApiContext } from "../options.ts";

/** Ends the hold whose loss the pod's gate reports: a gate that runs proves that main has ended. */
export function endLostHold(
  options: GateApiContext,
  { namespace, uid, lease: name = "" }: PodView,
  token: number,
): Promise<void> {
  return updateLease(
    options,
    { namespace, name },
    (lease) => {
      const hold = holdOf(lease, { uid, token });
      if (!lease || !hold) return { answer: undefined };
      return { answer: undefined, write: endFor(lease, uid, "Fenced", options.clock.nowMs()) };
    },
    { live: true },
  );
}

/**
 * What the Lease, looked up live, shows of a pod whose gate asks.
 * - `none`: no hold, or none any more: the pod queues.
 * - `granted`: a hold that waits for the gate's confirmation.
 * - `inUse`: a hold that was confirmed.
 */
export type OwnHold = { is: "none" } | { is: "granted"; hold: Hold } | { is: "inUse" };

/** Whether `pod` has been granted `lease`, which must have been read live: the cache may show a grant of an earlier run. */
export function findOwnHold(lease: Lease | undefined, pod: PodView): OwnHold {
  const hold = ownHold(lease, pod);
  if (!hold) return { is: "none" };
  return isUnanswered(hold) ? { is: "granted", hold } : { is: "inUse" };
}

/**
 * The same for a gate that has just begun to ask. If a hold was confirmed before, the gate runs again, so main has ended: the hold is
 * replaced by a new one without a gap, or ended where it is revoked, expired or of no use. Only a later run of the gate than the one that
 * confirmed may do so: a late request of that very run comes while main runs.
 */
export function resumeOwnHold(
  options: GateApiContext,
  pod: PodView,
  gateRun: string | undefined,
): Promise<OwnHold> {
  const { clock, caches } = options;
  return updateLease<OwnHold>(
    options,
    { namespace: pod.namespace, name: pod.lease ?? "" },
    (lease) => {
      const hold = ownHold(lease, pod);
      if (!lease || !hold) return { answer: { is: "none" } };
      if (hold.confirmed && !isLaterRun(gateRun, hold.gateRun)) return { answer: { is: "inUse" } };
      if (!isUsable(lease, hold) || !canUseGrant(pod)) {
        return { answer: { is: "none" }, write: endHold(lease, "Restarted", clock.nowMs()) };
      }
      if (!hold.confirmed) return { answer: { is: "granted", hold } };
      const requests = caches.requests.store.byIndex(BY_LEASE, keyOf(lease));
      const write = regrantHold(lease, requests, clock.nowMs());
      return write.hold ? { answer: { is: "granted", hold: write.hold }, write } : { answer: { is: "none" } };
    },
    { live: true },
  );
}

function ownHold(lease: Lease | undefined, { uid }: PodView): Hold | undefined {
  const hold = lease?.status.hold;
  return hold?.ref.uid === uid ? hold : undefined;
}

function isUnanswered(hold: Hold): boolean {
  return !hold.confirmed && !hold.revoked && !hold.expired;
}
