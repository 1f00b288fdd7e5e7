/** The holds of a klease that are over, from its status and from events. Pure. */
import type { PastHold } from "../../lease/types.ts";
import type { PastBar } from "./wire.ts";

/** Of one klease. */
export const MOST_BARS = 100;
/** Two replicas may have dated an end and the next grant. */
const CLOCKS_DIFFER_MS = 1_000;

/**
 * The bars of a row, the latest first. The status has the last ten holds; only of older ones an event is believed, since anybody might have written
 * it: its token must be lower than that of the next bar, and its hold must have ended before that one began. So a lie may hide others, but no two bars
 * overlap.
 *
 * @param history of the klease's status, the latest first.
 * @param ended what events tell, in any order, the same more than once.
 */
export function pastBars(history: readonly PastHold[], ended: readonly PastHold[]): PastBar[] {
  const bars = history.map(barOf);
  let next = bars.at(-1);
  if (!next) return [];
  for (const past of ended.toSorted((a, b) => b.token - a.token)) {
    if (bars.length >= MOST_BARS) break;
    if (past.token >= next.token || past.endedMs > next.acquiredMs + CLOCKS_DIFFER_MS) continue;
    next = barOf(past);
    bars.push(next);
  }
  return bars;
}

function barOf({ holder, token, acquiredMs, endedMs, reason, by }: PastHold): PastBar {
  return { holder, token, acquiredMs, endedMs, reason, by };
}
