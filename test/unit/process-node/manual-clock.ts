import type { Clock } from "../../../src/shared/clock.ts";

export interface ManualClock extends Clock {
  /** Goes forward, calling what comes due in its order and letting promises settle in between. */
  advance(ms: number): Promise<void>;
}

/** A clock that stands still unless it is told to go on. */
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

/** All promises that are settled by others' settling have been by then. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
