/**
 * The keeper's release. SIGTERM alone is no proof that main has ended: the kubelet also sends it while main still lives, when the grace
 * period runs out or the keeper's image is patched. The keeper's word counts only for a pod that is being deleted, where the order in which
 * the kubelet ends it leaves no other reading. A kubelet that ends the pod by its own decision says so in the pod's status, and may count a
 * shorter grace period. Otherwise only what the pod's status proves counts; without proof the hold goes on, marked, until the arbiter sees
 * proof or (for a pod that is gone) until time stands in for it. Limit: a SIGTERM that does not come from the kubelet, as when the node shuts
 * down while the pod is being deleted; under AfterTermination the word is therefore not taken.
 *
 * Under `once` the word is not taken either: without the kubelet's status nobody would know whether the work has succeeded.
 *
 * The answer never waits for proof: a keeper that stays would keep the kubelet from writing it. The hold of a Job goes on when one of its
 * pods has ended.
 */
import {
  endFor,
  holdOf,
  isMarkedReleasing,
  isOutdatedWord,
  markReleasing,
  memberOf,
} from "../../../lease/hold.ts";
import { sinceRun } from "../../../lease/pod.ts";
import { awaitsOutcome, provesEnd, provesSuccess } from "../../../lease/proof.ts";
import { defined } from "../../../shared/json.ts";
import type { GateApiContext } from "../options.ts";
import type { ReleaseRequest } from "../wire/messages.ts";
import { type EndingPod, requireReview } from "./ending.ts";
import { updateLease } from "./update-lease.ts";

/**
 * Whether the hold is over now, or was already. An expired hold may be released, too. Refuses with Unauthenticated where the hold is not
 * the pod's and no review vouches for the pod.
 */
export async function release(
  options: GateApiContext,
  ending: EndingPod,
  { lease: name, token, keeperSince, sincePreStopMs }: ReleaseRequest,
): Promise<boolean> {
  const { namespace, uid, pod, stopping } = ending;
  const word = { uid, ...defined({ keeperSince }) };
  const isOver = await updateLease<boolean | "not its">(options, { namespace, name }, (lease) => {
    const hold = holdOf(lease, { uid, token });
    if (!lease || !hold) return { answer: "not its", needsLive: true };
    if (isOutdatedWord(hold, word)) return { answer: false };
    const member = memberOf(hold, uid);
    // A pod that shares its Job's hold may have run before under the same token.
    const seen = pod && member ? sinceRun(pod, member.gateRun) : pod;
    // For the same reason a keeper of 0.1.0 is not believed: it does not say which run of the pod it is of.
    const isItsRun = member === undefined || keeperSince !== undefined;
    // Of work that is done once, only the kubelet's status says whether it has succeeded.
    const isProofDue = hold.once !== undefined && member === undefined;
    const isWordTaken = isItsRun && !isProofDue && lease.spec.handoverPolicy !== "AfterTermination";
    const isOutcomeDue = isProofDue && seen !== undefined && awaitsOutcome(seen);
    const hasEnded =
      seen !== undefined && !isOutcomeDue && provesEnd(seen, token, isWordTaken ? sincePreStopMs : undefined);
    // Before its confirmation no gate has let anything through.
    if (hasEnded || !hold.confirmed) {
      const hasSucceeded = seen !== undefined && provesSuccess(seen, token);
      return { answer: true, write: endFor(lease, uid, "Released", options.clock.nowMs(), hasSucceeded) };
    }
    if (isMarkedReleasing(hold, word, stopping)) return { answer: false };
    return { answer: false, write: markReleasing(lease.status, word, options.clock.nowMs(), stopping) };
  });
  if (isOver !== "not its") return isOver;
  requireReview(ending);
  return true;
}
