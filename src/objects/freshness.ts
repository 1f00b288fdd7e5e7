import type { Reflector } from "../kube/reflector.ts";
import type { Clock } from "../shared/clock.ts";

/** By then a silent watch has been replaced twice (see the reflector), and the new ones were silent, too. */
export const FRESH_FOR_MS = 20_000;

type Copy = Pick<Reflector<never>, "lastEventMonotonicMs">;

/**
 * Whether all of these copies follow the API server. The answer costs no call. False does not mean that this replica is at fault: an outage of
 * the API server hits them all.
 */
export function areFresh(copies: readonly Copy[], clock: Pick<Clock, "monotonicMs">): boolean {
  const heardMs = copies.map((copy) => copy.lastEventMonotonicMs ?? Number.NEGATIVE_INFINITY);
  return clock.monotonicMs() - Math.min(...heardMs) <= FRESH_FOR_MS;
}
