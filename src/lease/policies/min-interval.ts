import { secondsTime } from "../../shared/times.ts";
import { formatDuration } from "../duration.ts";
import { REPLICAS_DIFFER_MS } from "../hold.ts";
import type { HeldBack, Ruled } from "./policy.ts";

/**
 * `spec.minInterval`: the next grant comes no sooner after the end of the last hold. A hold that nobody confirmed has done no work, and does
 * not count. Nor does an end that lies further ahead than the interval is long: the clock was set back since, and the Lease would rest for
 * as long as that. Any other end counts, so clocks of API servers that disagree skip no rest. Hence a Lease rests for twice the interval at most.
 */
export function minInterval({ spec, status }: Ruled, nowMs: number): HeldBack | undefined {
  const { minIntervalMs = 0 } = spec;
  const { hold, lastEndedMs } = status;
  if (hold || lastEndedMs === undefined || minIntervalMs <= 0) return undefined;
  if (lastEndedMs - nowMs > Math.max(REPLICAS_DIFFER_MS, minIntervalMs)) return undefined;
  const untilMs = lastEndedMs + minIntervalMs;
  if (nowMs >= untilMs) return undefined;
  const interval = formatDuration(minIntervalMs);
  return {
    rule: "MinInterval",
    why: `resting until ${secondsTime(untilMs)}, for its minInterval of ${interval}`,
    untilMs,
  };
}
