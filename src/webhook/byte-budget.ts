/** How much of the bodies that are coming in is kept at a time, and by whom it is used. */

/** Bytes that are kept for others. */
export interface ByteBudget {
  /** Takes `bytes` for a peer. Answers false, and takes nothing, where that is more than its share. */
  take(peer: string, bytes: number): boolean;
  give(peer: string, bytes: number): void;
}

/**
 * A peer may use as much as is left after that: one alone gets half of it all, two get a third each. So whoever comes later always finds
 * some, however much one sends. (Dynamic thresholds, Choudhury and Hahne 1998, with a factor of 1.)
 */
export function createByteBudget(totalBytes: number): ByteBudget {
  const byPeer = new Map<string, number>();
  let used = 0;
  return {
    take(peer, bytes) {
      const own = (byPeer.get(peer) ?? 0) + bytes;
      if (own > totalBytes - used - bytes) return false;
      byPeer.set(peer, own);
      used += bytes;
      return true;
    },
    give(peer, bytes) {
      const own = (byPeer.get(peer) ?? 0) - bytes;
      if (own > 0) byPeer.set(peer, own);
      else byPeer.delete(peer);
      used -= bytes;
    },
  };
}
