/** Writes of one Lease by this replica take turns, so that many pods of a Job that confirm at once do not refuse each other. */
export interface LeaseTurns {
  /** Does `work` when everything that came before for the Lease `key` has ended, however it ended. */
  take<T>(key: string, work: () => Promise<T>): Promise<T>;
}

export function createLeaseTurns(): LeaseTurns {
  const last = new Map<string, Promise<unknown>>();
  return {
    take(key, work) {
      const turn = (last.get(key) ?? Promise.resolve()).then(work, work);
      last.set(key, turn);
      const leave = () => {
        if (last.get(key) === turn) last.delete(key);
      };
      turn.then(leave, leave);
      return turn;
    },
  };
}
