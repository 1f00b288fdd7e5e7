import type { Clock } from "../shared/clock.ts";
import type { BootClock } from "./boot-clock.ts";

/** The longest single sleep: a timer that drifts, or does not count suspended time, is corrected this often. */
const LOOK_AGAIN_MS = 1_000;

/** Resolves once `momentMs()` has come by the boot clock; it may move meanwhile. Rejects with the signal's reason. */
export async function sleepUntil(
  { clock, bootMs }: { clock: Clock; bootMs: BootClock },
  momentMs: () => number,
  signal: AbortSignal,
): Promise<void> {
  for (let leftMs = momentMs() - bootMs(); leftMs > 0; leftMs = momentMs() - bootMs()) {
    await clock.sleep(Math.min(leftMs, LOOK_AGAIN_MS), signal);
  }
}
