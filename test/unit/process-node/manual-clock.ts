import type { Clock } from "../../../src/shared/clock.ts";

export interface ManualClock extends Clock {
  /** Advances the clock, fires due timers in their order, and lets promises settle after each. */
  advance(ms: number): Promise<void>;
}

/** A clock that moves only by `advance`. */
export function manualClock(): ManualClock {
  let nowMs = 0;
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  const clock: ManualClock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after(delayMs, callback) {
      const timer = { atMs: nowMs + delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    sleep: (delayMs) => new Promise((resolve) => clock.after(delayMs, resolve)),
    async advance(ms) {
      const untilMs = nowMs + ms;
      await settle();
      for (;;) {
        const [next] = [...timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
        if (!next) break;
        timers.delete(next);
        nowMs = next.atMs;
        next.callback();
        await settle();
      }
      nowMs = untilMs;
    },
  };
  return clock;
}

/** Resolves when all promises have settled that can settle without the clock. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
