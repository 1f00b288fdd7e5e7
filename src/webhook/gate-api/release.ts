/**
 * The keeper's release. SIGTERM alone is no proof that main has ended: when the grace period runs out, the kubelet sends it while
 * main still lives. The keeper's word is taken only where the kubelet's order of ending a pod leaves no other reading;
 * otherwise the hold goes on, marked, until the arbiter sees proof. Limit: a grace period that the node itself cut short (its shutdown)
 * while the pod was being deleted. The answer never waits for that proof: a keeper that stays
 * would keep the kubelet from writing it. The hold of a Job goes on when one of its pods has ended.
 */
import { endHold, holdOf, markReleasing, memberOf, removeMember } from "../../lease/hold.ts";
import { isMainRunning, type PodView, sinceRun } from "../../lease/pod.ts";
import { hasMainStarted } from "../../lease/proof.ts";
import type { PodIdentity } from "../identity/identity.ts";
import { livePod, requireLease } from "./caller.ts";
import type { ReleaseRequest } from "./messages.ts";
import type { GateApiContext } from "./options.ts";
import { updateLease } from "./update-lease.ts";

/** A completed pod's SIGTERM follows its preStop after about 0.1 s; an eviction's comes after 1 s at the earliest. */
const COMPLETED_WITHIN_MS = 500;
/** The kubelet counts the grace period in whole seconds. */
const GRACE_MARGIN_MS = 1_000;

/** Whether the hold is over now (also when it already was). It may be released after it expired, too. */
export async function release(
  options: GateApiContext,
  identity: PodIdentity,
  { lease: name, token, sincePreStopMs }: ReleaseRequest,
): Promise<boolean> {
  const { namespace, uid } = identity;
  const pod = await livePod(options, identity);
  if (pod) requireLease(pod, name);
  return updateLease(options, { namespace, name }, (lease) => {
    const hold = holdOf(lease, { uid, token });
    if (!lease || !hold) return { answer: true, needsLive: true };
    // Before the confirmation no gate has let anything through.
    const member = memberOf(hold, uid);
    // A pod that shares its Job's hold may have run before under the same token.
    const seen = pod && member ? sinceRun(pod, member.gateRun) : pod;
    const hasEnded = seen !== undefined && provesEnd(seen, token, sincePreStopMs);
    if (hasEnded || !hold.confirmed) {
      const write = member
        ? removeMember(lease.status, uid)
        : endHold(lease, "Released", options.clock.nowMs());
      return { answer: true, write };
    }
    if ((member ?? hold).releasing) return { answer: false };
    return { answer: false, write: markReleasing(lease.status, uid) };
  });
}

/** Whether a keeper that was asked to stop `sincePreStopMs` after its preStop began knows by it that main has ended. */
export function provesEnd(pod: PodView, token: number, sincePreStopMs: number | undefined): boolean {
  if (sincePreStopMs === undefined || !hasMainStarted(pod, token)) return false;
  const { deletionMs, deletionGraceSeconds = 0 } = pod;
  // Of a completed pod the kubelet wrote main's end before; a keeper whose image was patched gets both signals beside main.
  if (deletionMs === undefined) return sincePreStopMs < COMPLETED_WITHIN_MS && !isMainRunning(pod);
  return sincePreStopMs < deletionGraceSeconds * 1_000 - GRACE_MARGIN_MS;
}
