import type { Clock } from "../../shared/clock.ts";

/** After each turn the process is free for other work for this many times as long as the turn took. */
const REST = 3;

/**
 * Turns for work that blocks the event loop: one at a time, peers in rotation, and a rest after each. So all such work takes a quarter of
 * the time at most, however many ask for it.
 */
export interface FairTurns {
  /**
   * Resolves at the peer's turn, which lasts until the returned function is called. Rejects with the signal's reason if it aborts first.
   */
  take(peer: string, signal: AbortSignal): Promise<() => void>;
}

export function createFairTurns(clock: Pick<Clock, "monotonicMs" | "after">): FairTurns {
  /** By peer; the peer whose turn is next comes first. */
  const waiting = new Map<string, Set<() => void>>();
  let isTaken = false;

  function beginNext(): void {
    isTaken = false;
    for (const [peer, begins] of waiting) {
      const [begin] = begins;
      if (!begin) continue;
      leave(peer, begin);
      const others = waiting.get(peer);
      if (others) {
        waiting.delete(peer);
        waiting.set(peer, others);
      }
      begin();
      return;
    }
  }

  function leave(peer: string, begin: () => void): void {
    const begins = waiting.get(peer);
    begins?.delete(begin);
    if (begins?.size === 0) waiting.delete(peer);
  }

  return {
    take(peer, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<() => void>();
      function abort(): void {
        leave(peer, begin);
        reject(signal.reason);
      }
      function begin(): void {
        isTaken = true;
        signal.removeEventListener("abort", abort);
        const beganMs = clock.monotonicMs();
        let isOver = false;
        resolve(() => {
          if (isOver) return;
          isOver = true;
          clock.after(REST * (clock.monotonicMs() - beganMs), beginNext);
        });
      }
      if (signal.aborted) reject(signal.reason);
      else if (!isTaken) begin();
      else {
        waiting.set(peer, (waiting.get(peer) ?? new Set()).add(begin));
        signal.addEventListener("abort", abort, { once: true });
      }
      return promise;
    },
  };
}
