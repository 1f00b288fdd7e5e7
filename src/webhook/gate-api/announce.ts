import { holdOf, markReleasing, memberOf } from "../../lease/hold.ts";
import type { HoldRequest } from "./messages.ts";
import type { GateApiContext } from "./options.ts";
import { updateLease } from "./update-lease.ts";

/** Notes that the hold is about to end. It frees nothing, and a hold that is not this pod's is left alone without a word. */
export async function announce(
  options: GateApiContext,
  { namespace, uid }: { namespace: string; uid: string },
  { lease: name, token }: HoldRequest,
): Promise<void> {
  await updateLease(options, { namespace, name }, (lease) => {
    const hold = holdOf(lease, { uid, token });
    if (!lease || !hold) return { answer: undefined, needsLive: true };
    if ((memberOf(hold, uid) ?? hold).releasing || !hold.confirmed) return { answer: undefined };
    return { answer: undefined, write: markReleasing(lease.status, uid) };
  });
}
