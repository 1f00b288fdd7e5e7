/**
 * How many calls are under way at a time: each has a connection of its own. Those of one namespace take at most as many turns as they leave
 * free, so that calls about another namespace's objects do not wait until the first ones are answered. Calls that wait for a turn are taken in
 * the order they came; namespaces take turns.
 */
import { createFairShare } from "../shared/fair-share.ts";

export interface CallTurns {
  /**
   * Resolves when the call about objects of `namespace` may be sent ("" for all or none). Its turn lasts until the returned function is
   * called. Rejects with the signal's reason if it aborts first.
   */
  take(namespace: string, signal: AbortSignal): Promise<() => void>;
}

/** `most`: at a time, 2 at least. */
export function createCallTurns(most: number): CallTurns {
  const share = createFairShare(most);
  /** By namespace; the one that got a turn last comes last. */
  const waiting = new Map<string, Set<() => void>>();

  function leave(namespace: string, begin: () => void): void {
    const begins = waiting.get(namespace);
    begins?.delete(begin);
    if (begins?.size === 0) waiting.delete(namespace);
  }

  /** Whoever has begun goes to the end, where the loop meets it again. */
  function beginNext(): void {
    for (const [namespace, begins] of waiting) {
      if (!share.take(namespace, 1)) continue;
      waiting.delete(namespace);
      waiting.set(namespace, begins);
      const [begin] = begins;
      begin?.();
    }
  }

  return {
    take(namespace, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<() => void>();
      function abort(): void {
        leave(namespace, begin);
        reject(signal.reason);
      }
      function begin(): void {
        leave(namespace, begin);
        signal.removeEventListener("abort", abort);
        let isOver = false;
        resolve(() => {
          if (isOver) return;
          isOver = true;
          share.give(namespace, 1);
          beginNext();
        });
      }
      if (signal.aborted) reject(signal.reason);
      else if (!waiting.has(namespace) && share.take(namespace, 1)) begin();
      else {
        waiting.set(namespace, (waiting.get(namespace) ?? new Set()).add(begin));
        signal.addEventListener("abort", abort, { once: true });
      }
      return promise;
    },
  };
}
