import type { Clock } from "../shared/clock.ts";
import { KonductorError } from "../shared/errors.ts";

/** What `action` resolves with; undefined when `ms` are over before, upon which its signal has aborted. `Infinity`: no limit. */
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

/** Whether `error` came of `signal`; a sleep that was cut short says so in words of its own. */
export function isAbort(error: unknown, { aborted, reason }: AbortSignal): boolean {
  return aborted && (error === reason || !(error instanceof KonductorError));
}
