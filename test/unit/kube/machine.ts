import type { ResponseInfo } from "../../../src/kube/api.ts";
import type { Clock } from "../../../src/shared/clock.ts";

/** The truth that all machines of a test share. */
export interface Time {
  ms: number;
}

/** A machine whose time of day is wrong by so much; its monotonic clock began whenever it liked, and gains so much in the time of 1. */
export interface MachineOptions {
  errorMs: number;
  upSinceMs?: number;
  gain?: number;
}

/** Its clock. Nothing on it waits. */
export function machineClock(time: Time, { errorMs, upSinceMs = 0, gain = 0 }: MachineOptions): Clock {
  return {
    nowMs: () => Math.floor(time.ms + errorMs),
    monotonicMs: () => (time.ms - upSinceMs) * (1 + gain),
    after: () => () => undefined,
    sleep: () => Promise.resolve(),
  };
}

/** How an API server whose time of day is wrong by `errorMs` is asked: the answer's Date is made `thereMs` after its sending. */
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
