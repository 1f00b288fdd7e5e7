/** A queue in which peers take turns, however much one of them has in it; what one peer has there keeps its order. */
export interface PeerQueue {
  /** Resolves when it is let in. Rejects with the signal's reason, and leaves the queue, if it aborts first. */
  wait(peer: string, signal: AbortSignal): Promise<void>;
  has(peer: string): boolean;
  /** Lets in, one after the other, the first of each peer that `admits`, until no peer is left that does. */
  letIn(admits: (peer: string) => boolean): void;
}

export function createPeerQueue(): PeerQueue {
  /** By peer; the one that was let in last comes last. */
  const waiting = new Map<string, Set<() => void>>();

  function leave(peer: string, enter: () => void): void {
    const entries = waiting.get(peer);
    entries?.delete(enter);
    if (entries?.size === 0) waiting.delete(peer);
  }

  return {
    wait(peer, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      function abort(): void {
        leave(peer, enter);
        reject(signal.reason);
      }
      function enter(): void {
        leave(peer, enter);
        signal.removeEventListener("abort", abort);
        resolve();
      }
      if (signal.aborted) reject(signal.reason);
      else {
        waiting.set(peer, (waiting.get(peer) ?? new Set()).add(enter));
        signal.addEventListener("abort", abort, { once: true });
      }
      return promise;
    },
    has: (peer) => waiting.has(peer),
    letIn(admits) {
      for (const [peer, entries] of waiting) {
        if (!admits(peer)) continue;
        // To the end, where the loop meets it again.
        waiting.delete(peer);
        waiting.set(peer, entries);
        const [enter] = entries;
        enter?.();
      }
    },
  };
}
