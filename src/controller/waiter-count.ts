import type { Clock } from "../shared/clock.ts";
import { LruMap } from "../shared/lru-map.ts";

/** `status.waiters` and `status.next` are for people: they may lag, and cost at most one write per Lease in this time. */
const WRITE_EVERY_MS = 5_000;

/** Spaces the writes of `status.waiters` and `status.next`. */
export interface WaiterCount {
  /** 0 when it may be written now. */
  dueInMs(key: string): number;
  /** A write of the status has just carried the count. */
  written(key: string): void;
}

export function createWaiterCount(clock: Clock): WaiterCount {
  const writtenAtMs = new LruMap<string, number>(10_000);
  return {
    dueInMs: (key) =>
      Math.max(0, (writtenAtMs.get(key) ?? -WRITE_EVERY_MS) + WRITE_EVERY_MS - clock.monotonicMs()),
    written: (key) => writtenAtMs.set(key, clock.monotonicMs()),
  };
}
