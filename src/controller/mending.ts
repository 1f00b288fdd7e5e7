/**
 * Writes that only mend what an older konductor has written. The first term after an upgrade finds every object in need of them, and all of
 * them at once would take the connections by which replicas renew the lead, and the arbiter grants.
 */

/** How many are under way at the same moment. */
const AT_A_TIME = 8;
/** When whoever was refused looks again at the latest: whoever was woken for the free place may need no mending any more. */
const AGAIN_AFTER_MS = 10_000;

export interface Mending {
  /** Does `work` for the Lease `key`, or has the Lease looked at again when others have made room. Rejects if `work` does. */
  mend(key: string, work: () => Promise<void>): Promise<void>;
}

export interface MendingOptions {
  /** Has the Lease looked at again after so long. */
  wakeAfter(key: string, delayMs: number): void;
}

export function createMending({ wakeAfter }: MendingOptions): Mending {
  /** Lease keys, the one that was refused first comes first. */
  const refused = new Set<string>();
  let underWay = 0;

  return {
    async mend(key, work) {
      if (underWay >= AT_A_TIME) {
        refused.add(key);
        return wakeAfter(key, AGAIN_AFTER_MS);
      }
      underWay++;
      try {
        await work();
      } finally {
        underWay--;
        refused.delete(key);
        const [next] = refused;
        if (next !== undefined) {
          refused.delete(next);
          wakeAfter(next, 0);
        }
      }
    },
  };
}
