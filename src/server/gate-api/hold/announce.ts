import { holdOf, isMarkedReleasing, isOutdatedWord, markReleasing } from "../../../lease/hold.ts";
import { defined } from "../../../shared/json.ts";
import type { GateApiContext } from "../options.ts";
import type { HoldRequest } from "../wire/messages.ts";
import { type EndingPod, requireReview } from "./ending.ts";
import { updateLease } from "./update-lease.ts";

/**
 * Notes that the hold is about to end; frees nothing. A hold that is not this pod's is silently left alone, or refused with Unauthenticated
 * where no review vouches for the pod.
 */
export async function announce(
  options: GateApiContext,
  ending: EndingPod,
  { lease: name, token, keeperSince }: HoldRequest,
): Promise<void> {
  const { namespace, uid, stopping } = ending;
  const word = { uid, ...defined({ keeperSince }) };
  const hasHold = await updateLease(options, { namespace, name }, (lease) => {
    const hold = holdOf(lease, { uid, token });
    if (!lease || !hold) return { answer: false, needsLive: true };
    if (!hold.confirmed || isOutdatedWord(hold, word) || isMarkedReleasing(hold, word, stopping))
      return { answer: true };
    return { answer: true, write: markReleasing(lease.status, word, options.clock.nowMs(), stopping) };
  });
  if (!hasHold) requireReview(ending);
}
