import type { Clock } from "../../../shared/clock.ts";

/** A write that is not answered within this time has had its turn. Every write is guarded, so at worst the next one is refused. */
const TURN_MS = 1_000;

/**
 * This replica's writes to one Lease take turns, so that many pods of a Job that confirm at once cause no conflicts. None waits for long: a
 * pod whose call hangs must not keep the others from renewing.
 */
export interface LeaseTurns {
  /** Does `work` once all earlier work for the Lease `key` has settled, or has had its time. */
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

/** Resolves when `work` has settled, or is late. */
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
