/** How much there is of something that peers use up: bytes of bodies that are coming in, connections; and who uses it. */

export interface FairShare {
  /** Takes so much for a peer. Answers false, and takes nothing, where that is more than its share. */
  take(peer: string, amount: number): boolean;
  give(peer: string, amount: number): void;
  /** By all together. */
  used(): number;
}

/**
 * A peer may use as much as is left after that: one alone gets half of it all, two get a third each. So whoever comes later always finds
 * some, however much one uses. (Dynamic thresholds, Choudhury and Hahne 1998, with a factor of 1.)
 */
export function createFairShare(total: number): FairShare {
  const byPeer = new Map<string, number>();
  let used = 0;
  return {
    take(peer, amount) {
      const own = (byPeer.get(peer) ?? 0) + amount;
      if (own > total - used - amount) return false;
      byPeer.set(peer, own);
      used += amount;
      return true;
    },
    give(peer, amount) {
      const own = (byPeer.get(peer) ?? 0) - amount;
      if (own > 0) byPeer.set(peer, own);
      else byPeer.delete(peer);
      used -= amount;
    },
    used: () => used,
  };
}
