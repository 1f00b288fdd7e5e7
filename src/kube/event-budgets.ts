import type { Clock } from "../shared/clock.ts";
import { LruMap } from "../shared/lru-map.ts";

/** How many new events an object may have: {@link BURST} at once, and one more every `refillEveryMs`. */
export interface Budget {
  name: string;
  refillEveryMs: number;
}

const BURST = 25;
const REFILL_EVERY_MS = 300_000;
const COMMON: Budget = { name: "", refillEveryMs: REFILL_EVERY_MS };
/** How many objects are remembered. */
const REMEMBERED = 2_048;

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

/** Counts by the object's uid, and apart for each budget. The returned function takes one new event out, and says whether there was one. */
export function createEventBudgets(
  clock: Pick<Clock, "monotonicMs">,
): (uid: string, budget?: Budget) => boolean {
  const buckets = new LruMap<string, Bucket>(REMEMBERED);
  return (uid, budget = COMMON) => {
    const nowMs = clock.monotonicMs();
    const key = JSON.stringify([uid, budget.name]);
    const bucket = buckets.get(key) ?? { tokens: BURST, filledAtMs: nowMs };
    const tokens = Math.min(BURST, bucket.tokens + (nowMs - bucket.filledAtMs) / budget.refillEveryMs);
    const isTaken = tokens >= 1;
    buckets.set(key, { tokens: isTaken ? tokens - 1 : tokens, filledAtMs: nowMs });
    return isTaken;
  };
}
