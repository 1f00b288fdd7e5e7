import type { Clock } from "../../shared/clock.ts";
import { createPeerQueue } from "../../shared/peer-queue.ts";

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
  const queue = createPeerQueue();
  let isTaken = false;

  function admits(): boolean {
    if (isTaken) return false;
    isTaken = true;
    return true;
  }

  return {
    async take(peer, signal) {
      signal.throwIfAborted();
      if (!admits()) await queue.wait(peer, signal);
      const beganMs = clock.monotonicMs();
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        clock.after(REST * (clock.monotonicMs() - beganMs), () => {
          isTaken = false;
          queue.letIn(admits);
        });
      };
    },
  };
}
