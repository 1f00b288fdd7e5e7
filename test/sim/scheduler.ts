import { setImmediate as nextTurn } from "node:timers/promises";

/** Virtual time. It stands still while anything can go on without it, and then jumps to the next due time. */
export interface Scheduler {
  /** Milliseconds of true time, which may differ from every machine's clock. */
  nowMs(): number;
  /** Calls `run` once after `delayMs`, unless the returned function is called before. */
  after(delayMs: number, run: () => void): () => void;
  /** Lets time pass until `endMs`, or until `isDone`, which is called once a second. */
  passUntil(endMs: number, isDone?: () => boolean): Promise<void>;
}

interface Planned {
  dueMs: number;
  run: (() => void) | undefined;
}

/** 2026-01-01. Times of day have to be realistic, since they begin tokens. */
export const START_MS = 1_767_225_600_000;
const ASK_EVERY_MS = 1_000;

export function createScheduler(): Scheduler {
  let nowMs = START_MS;
  /** The latest entry comes first. Of entries with the same due time, the last planned one comes first. */
  const planned: Planned[] = [];

  function after(delayMs: number, run: () => void): () => void {
    const entry: Planned = { dueMs: nowMs + Math.max(0, delayMs), run };
    let [low, high] = [0, planned.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((planned[middle]?.dueMs ?? 0) > entry.dueMs) low = middle + 1;
      else high = middle;
    }
    planned.splice(low, 0, entry);
    return () => {
      entry.run = undefined;
    };
  }

  return {
    nowMs: () => nowMs,
    after,
    async passUntil(endMs, isDone = () => false) {
      for (let askAtMs = nowMs + ASK_EVERY_MS; ; ) {
        // Nothing here waits for real time, so after one turn of the event loop all promises have settled that can.
        await nextTurn();
        while (planned.length > 0 && planned.at(-1)?.run === undefined) planned.pop();
        const next = planned.at(-1);
        if (!next || next.dueMs > endMs) break;
        planned.pop();
        nowMs = Math.max(nowMs, next.dueMs);
        next.run?.();
        if (nowMs < askAtMs) continue;
        if (isDone()) return;
        askAtMs = nowMs + ASK_EVERY_MS;
      }
      nowMs = Math.max(nowMs, endMs);
    },
  };
}
