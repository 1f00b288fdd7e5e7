/** When a hold ends if nobody acts: docs/guarantees.md, "How a hold ends" and "A holder that goes silent". Pure. */
import { EXPIRY_ALLOWANCE_MS } from "../../lease/decision.ts";
import type { Settings } from "../../lease/settings.ts";
import type { Hold, Lease } from "../../lease/types.ts";
import { ifKnown } from "../known.ts";
import type { HolderFacts } from "./facts.ts";
import { at, atAndAge, duration } from "./wording.ts";

/** The limits of a hold that is renewed as it should be. */
export function limits(lease: Lease, hold: Hold, facts: HolderFacts): string[] {
  const { ref, ttlMs, acquiredMs, expiresMs } = hold;
  const { nowMs } = facts;
  const wishes = wishesOf(facts);
  if (!lease.spec.renewable || wishes?.renew === false) {
    return [`This hold cannot be renewed, and ends at ${atAndAge(expiresMs, nowMs)}.`];
  }
  const maxHoldMs = wishes?.maxHoldMs;
  const maxHold =
    maxHoldMs === undefined
      ? []
      : [
          `Its max-hold of ${duration(maxHoldMs)} ends its renewals at ${atAndAge(acquiredMs + maxHoldMs, nowMs)}, and itself a ttl later at the latest.`,
        ];
  // The pods of a Job may be silent, each for itself: the Job is what ends.
  if (ref.kind === "Job") return maxHold;
  const overMs = expiresMs + EXPIRY_ALLOWANCE_MS;
  const silence = `If it is not heard again, its ttl of ${duration(ttlMs)} is over at ${at(overMs)}: ${afterExpiry(lease, hold, facts)}.`;
  return [...maxHold, silence];
}

function wishesOf({ holderPods }: HolderFacts): Settings | undefined {
  const [first] = holderPods;
  const asked = first && ifKnown(first.pod)?.settings;
  return asked?.ok ? asked.settings : undefined;
}

/** What follows when it has been silent for its ttl, as half a sentence. */
export function afterExpiry({ spec }: Pick<Lease, "spec">, { ref }: Hold, facts: HolderFacts): string {
  if (ref.kind === "LeaseRequest") return "the next is granted then";
  const atProof = "the next is granted when it is proved that its containers have stopped";
  if (spec.handoverPolicy === "AfterTermination") return `${atProof} (handoverPolicy AfterTermination)`;
  if (wishesOf(facts)?.onLost === "continue") {
    return "the next is granted then, and it may run on beside that (on-lost: continue)";
  }
  const isGone = facts.holderPods.some(({ pod }) => pod.is === "missing");
  if (ref.selfFencing && !isGone) return "it stops itself before that, and the next is granted then";
  const told = isGone ? "" : "it is deleted, and ";
  return spec.handoverPolicy === "AfterExpiry"
    ? `${told}the next is granted when it has ended, or its grace period is over (handoverPolicy AfterExpiry)`
    : `${told}${atProof}`;
}
