/**
 * The rules by which the owner of a Lease keeps it from being granted although nobody holds it. Whoever decides about a grant, and whoever tells
 * why there is none, asks here, so that a new rule is one more file and one more line.
 */
import type { Situation } from "../decision.ts";
import { minInterval } from "./min-interval.ts";
import { paused } from "./paused.ts";
import type { HeldBack, HoldBackPolicy, HoldBackRule, Ruled } from "./policy.ts";

const POLICIES: Readonly<Record<HoldBackRule, HoldBackPolicy>> = {
  Paused: paused,
  MinInterval: minInterval,
};

/** What holds a grant of `lease` back; of several rules, the one that lasts longest. Undefined: nothing does. */
export function heldBack(lease: Ruled, nowMs: number): HeldBack | undefined {
  let longest: HeldBack | undefined;
  for (const policy of Object.values(POLICIES)) {
    const found = policy(lease, nowMs);
    if (found && endOf(found) > endOf(longest)) longest = found;
  }
  return longest;
}

/**
 * Whether nothing that is known keeps the Lease from being granted: whoever waits all the same has a claimant that could not be looked at, or
 * has had its hold. Nobody may be told of a free Lease that it is held.
 */
export function isFree({
  lease,
  unrecordedHolders,
  nowMs,
}: Pick<Situation, "lease" | "unrecordedHolders" | "nowMs">): boolean {
  const isOpen = !lease.status.hold && !lease.terminating && unrecordedHolders === 0;
  return isOpen && !heldBack(lease, nowMs);
}

function endOf(held: HeldBack | undefined): number {
  return held ? (held.untilMs ?? Number.POSITIVE_INFINITY) : Number.NEGATIVE_INFINITY;
}
