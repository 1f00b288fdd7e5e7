/**
 * The rules by which the owner of a Lease keeps it from being granted although nobody holds it. Whoever decides about a grant, and whoever tells
 * why there is none, asks here, so that a new rule is one more file and one more line.
 */
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

function endOf(held: HeldBack | undefined): number {
  return held ? (held.untilMs ?? Number.POSITIVE_INFINITY) : Number.NEGATIVE_INFINITY;
}
