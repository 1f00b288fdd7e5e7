/** Shares between peers what they use up: bytes of bodies that are coming in, connections, calls. */

export interface FairShare {
  /** Takes `amount` for a peer. Returns false, and takes nothing, if that exceeds its share. */
  take(peer: string, amount: number): boolean;
  give(peer: string, amount: number): void;
  /** By all together. */
  used(): number;
}

/**
 * A peer may use at most as much as is left afterwards: one alone gets half of the total, two get a third each. So a newcomer always finds
 * some, however much others use. (Dynamic thresholds, Choudhury and Hahne 1998, with a factor of 1.)
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
