import type { Clock } from "../shared/clock.ts";
import { KonductorError } from "../shared/errors.ts";

/** Resolves with the result of `action`, or with undefined if `ms` pass first; its signal then aborts. `Infinity`: no limit. */
export async function within<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  action: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const timer = new AbortController();
  const cancel = Number.isFinite(ms) ? clock.after(ms, () => timer.abort()) : () => undefined;
  try {
    return await action(AbortSignal.any([signal, timer.signal]));
  } catch (error) {
    if (isAbort(error, timer.signal)) return undefined;
    throw error;
  } finally {
    cancel();
  }
}

/** Whether `error` was caused by `signal`. An interrupted call may throw an error of its own instead of the reason. */
export function isAbort(error: unknown, { aborted, reason }: AbortSignal): boolean {
  return aborted && (error === reason || !(error instanceof KonductorError));
}
