import type { Clock } from "../../../shared/clock.ts";

/** A write that is not answered for so long has had its turn. Every write is guarded: the next one is refused at worst. */
const TURN_MS = 1_000;

/**
 * Writes of one Lease by this replica take turns, so that many pods of a Job that confirm at once do not refuse each other. None waits
 * for long: a pod whose call hangs must not keep the others from renewing.
 */
export interface LeaseTurns {
  /** Does `work` when everything that came before for the Lease `key` has ended, however it ended, or has had its time. */
  take<T>(key: string, work: () => Promise<T>): Promise<T>;
}

export function createLeaseTurns(clock: Pick<Clock, "after">): LeaseTurns {
  const last = new Map<string, Promise<unknown>>();
  return {
    take(key, work) {
      const before = last.get(key);
      const turn = before ? withinTurn(before, clock).then(work) : work();
      last.set(key, turn);
      const leave = () => {
        if (last.get(key) === turn) last.delete(key);
      };
      turn.then(leave, leave);
      return turn;
    },
  };
}

/** Resolves when `work` has ended, however it ended, or is late. */
function withinTurn(work: Promise<unknown>, clock: Pick<Clock, "after">): Promise<void> {
  return new Promise((resolve) => {
    const stop = clock.after(TURN_MS, resolve);
    const end = () => {
      stop();
      resolve();
    };
    work.then(end, end);
  });
}
