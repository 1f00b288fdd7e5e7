import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../../src/shared/clock.ts";

/** A clock that stands still until a test turns it. */
export interface TurnedClock extends Clock {
  /** Fires what falls due within `ms`, in order, and lets everything woken by it go on in between. */
  turn(ms: number): Promise<void>;
  /** Resolves once a timer of this clock is due in `ms` or later. */
  waitedFor(ms: number): Promise<void>;
}

interface Timer {
  dueMs: number;
  fire: () => void;
}

export function turnedClock(startMs = 1_000_000): TurnedClock {
  let nowMs = startMs;
  const timers = new Set<Timer>();
  const watchers = new Set<() => void>();
  const after = (delayMs: number, fire: () => void): (() => void) => {
    const timer = { dueMs: nowMs + Math.max(0, delayMs), fire };
    timers.add(timer);
    for (const watcher of watchers) watcher();
    return () => timers.delete(timer);
  };
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after,
    sleep(delayMs, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const cancel = after(delayMs, resolve);
      const abort = (): void => {
        cancel();
        reject(signal?.reason);
      };
      if (signal?.aborted) abort();
      signal?.addEventListener("abort", abort, { once: true });
      return promise;
    },
    async turn(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        await nextTurn();
        const [next] = [...timers].filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs);
        if (next === undefined) break;
        timers.delete(next);
        nowMs = Math.max(nowMs, next.dueMs);
        next.fire();
      }
      nowMs = endMs;
      await nextTurn();
    },
    waitedFor(ms) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (): void => {
        if (![...timers].some(({ dueMs }) => dueMs - nowMs >= ms)) return;
        watchers.delete(look);
        resolve();
      };
      watchers.add(look);
      look();
      return promise;
    },
  };
}
