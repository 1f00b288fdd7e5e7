import type { ResponseInfo } from "../../../src/kube/api.ts";
import type { Clock } from "../../../src/shared/clock.ts";

/** The true time, which all machines of a test share. */
export interface Time {
  ms: number;
}

/** A machine whose time of day is wrong by `errorMs`. Its monotonic clock began at `upSinceMs` and runs fast by `gain`. */
export interface MachineOptions {
  errorMs: number;
  upSinceMs?: number;
  gain?: number;
}

/** The machine's clock. Nothing waits on it. */
export function machineClock(time: Time, { errorMs, upSinceMs = 0, gain = 0 }: MachineOptions): Clock {
  return {
    nowMs: () => Math.floor(time.ms + errorMs),
    monotonicMs: () => (time.ms - upSinceMs) * (1 + gain),
    after: () => () => undefined,
    sleep: () => Promise.resolve(),
  };
}

/** The answer of an API server whose time of day is wrong by `errorMs`. The server sets its Date `thereMs` after the request was sent. */
export function ask(
  time: Time,
  clock: Clock,
  { errorMs, thereMs = 2, backMs = 2 }: { errorMs: number; thereMs?: number; backMs?: number },
): ResponseInfo {
  const sentMs = clock.monotonicMs();
  time.ms += thereMs;
  const serverDateMs = Math.floor((time.ms + errorMs) / 1_000) * 1_000;
  time.ms += backMs;
  return { status: 200, serverDateMs, tookMs: clock.monotonicMs() - sentMs };
}
