/**
 * How many calls are under way at a time: each has a connection of its own. Those of one namespace take at most as many turns as they leave
 * free, so that calls about another namespace's objects do not wait until the first ones are answered. Calls that wait for a turn are taken in
 * the order they came; namespaces take turns.
 */
import { createFairShare } from "../shared/fair-share.ts";
import { createPeerQueue } from "../shared/peer-queue.ts";

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
  const queue = createPeerQueue();
  const admits = (namespace: string) => share.take(namespace, 1);
  return {
    async take(namespace, signal) {
      signal.throwIfAborted();
      if (queue.has(namespace) || !admits(namespace)) await queue.wait(namespace, signal);
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        share.give(namespace, 1);
        queue.letIn(admits);
      };
    },
  };
}
