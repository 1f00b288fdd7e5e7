import { uptime } from "node:os";
import type { Clock } from "../shared/clock.ts";

/**
 * `clock` with monotonic time that includes suspension: a hold does not wait for a sleeping laptop. Timers do not count that time, so code
 * that waits for a deadline must check it repeatedly.
 */
export function awakeClock(clock: Clock): Clock {
  // Some container runtimes (lxcfs) show each container an uptime of its own, and then CLOCK_MONOTONIC is ahead of it.
  return { ...clock, monotonicMs: () => Math.max(uptime() * 1000, Number(process.hrtime.bigint()) / 1e6) };
}

/** The longest single sleep until a deadline. */
const LOOK_AGAIN_MS = 1_000;

/** Resolves once `momentMs()` has come; it may move meanwhile. Rejects with the signal's reason. */
export async function sleepUntil(clock: Clock, momentMs: () => number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  for (let leftMs = momentMs() - clock.monotonicMs(); leftMs > 0; leftMs = momentMs() - clock.monotonicMs()) {
    await clock.sleep(Math.min(leftMs, LOOK_AGAIN_MS), signal);
  }
}
