/**
 * How long a container that exited waits for its next start: not at all the first time, then 10 s, doubled up to 5 minutes. The back-off starts over
 * after the container ran for 10 minutes (kubelet 1.37: `doBackOff`, `newCrashLoopBackOff`). Counts from the end of the container.
 */
export interface CrashBackoff {
  /** The container's current back-off in milliseconds, or 0 if it may start. */
  current(name: string, finishedAtMs: number, nowMs: number): number;
  /** Call when the container is started after having ended at `finishedAtMs`. */
  started(name: string, finishedAtMs: number, nowMs: number): void;
}

const FIRST_MS = 10_000;
const LONGEST_MS = 300_000;
const FORGOTTEN_AFTER_MS = 600_000;

interface Entry {
  readonly delayMs: number;
  readonly updatedAtMs: number;
}

export function crashBackoff(): CrashBackoff {
  const entries = new Map<string, Entry>();
  const find = (name: string, finishedAtMs: number) => {
    const entry = entries.get(name);
    return entry && finishedAtMs - entry.updatedAtMs > FORGOTTEN_AFTER_MS ? undefined : entry;
  };
  return {
    current(name, finishedAtMs, nowMs) {
      const entry = find(name, finishedAtMs);
      return entry && nowMs - finishedAtMs < entry.delayMs ? entry.delayMs : 0;
    },
    started(name, finishedAtMs, nowMs) {
      const entry = find(name, finishedAtMs);
      entries.set(name, {
        delayMs: entry ? Math.min(entry.delayMs * 2, LONGEST_MS) : FIRST_MS,
        updatedAtMs: nowMs,
      });
    },
  };
}
