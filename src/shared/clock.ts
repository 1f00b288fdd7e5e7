import { setTimeout as sleep } from "node:timers/promises";

/**
 * Where time comes from. Code that measures a duration uses `monotonicMs`. `nowMs` is for people, and for comparing with times that other
 * machines have written: then it must be the API server's (src/kube/server-clock.ts). Tests set their own clock.
 */
export interface Clock {
  /** The time of day, whole milliseconds since the epoch. It may jump. */
  nowMs(): number;
  /** Milliseconds since an arbitrary moment; never goes back. */
  monotonicMs(): number;
  /** Calls `callback` once after `delayMs`, unless the returned function is called before. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): () => void;
  /** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** Node fires longer timers at once, which makes a busy loop; a wake-up that is too early is harmless. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's own clock. */
export function systemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    after(delayMs, callback) {
      const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), LONGEST_TIMER_MS));
      timer.unref();
      return () => clearTimeout(timer);
    },
    async sleep(delayMs, signal) {
      try {
        await sleep(Math.min(Math.max(delayMs, 0), LONGEST_TIMER_MS), undefined, signal ? { signal } : {});
      } catch (error) {
        throw signal?.aborted ? signal.reason : error;
      }
    },
  };
}
