import type { Clock } from "../shared/clock.ts";

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
    if (timer.signal.aborted && error === timer.signal.reason) return undefined;
    throw error;
  } finally {
    cancel();
  }
}
