/**
 * Calls on the objects around a Lease: its requests, the pods and Jobs of its claimants. Somebody's quota, webhook or policy may refuse
 * any of them, or leave it unanswered, for ever. So each call is an errand of its own, which fails, rests and is tried again by itself.
 * The Lease's time limits never wait for an errand.
 */
import { aboutKey, type LogFields } from "../lease/log-fields.ts";
import { exponentialBackoff } from "../shared/backoff.ts";
import type { Clock } from "../shared/clock.ts";
import { describeError, hasCode } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";

/** What is to be done to an object. */
export interface Errand {
  /** Of the Lease: `namespace/name`. */
  key: string;
  what: string;
  /** Of the object. */
  uid: string;
  /** What the log says of the object. */
  about?: LogFields;
}

export interface Errands {
  /** How many are remembered: those that are under way, and those that have failed within about a minute. */
  readonly size: number;
  /**
   * Does `work`, unless the same errand is under way or rests after a failure. Never rejects. Resolves with whether it succeeded; with
   * false as soon as it is slow.
   */
  run(errand: Errand, work: () => Promise<unknown>): Promise<boolean>;
  /** Whether the same errand is under way, or rests after a failure: `run` would do nothing. */
  rests(errand: Pick<Errand, "key" | "what" | "uid">): boolean;
  /** Does `run` for each of `items`, a few at a time; resolves with whether all succeeded. */
  runEach<T>(items: readonly T[], run: (item: T) => Promise<boolean>): Promise<boolean>;
  /** Whether it has been tried in vain for a while, on one object or (without `uid`) on any: nothing may wait for it. */
  isStuck(errand: Pick<Errand, "key" | "what"> & { uid?: string }): boolean;
  /** The API server itself is away: no errand of this Lease was refused, so none of them is stuck, or rests for long. */
  excuse(key: string): void;
}

export interface ErrandsOptions {
  clock: Clock;
  logger: Logger;
  /** Whether errands may begin; always, by default. */
  isWanted?: () => boolean;
  /** Called when an errand that was slow has ended, one that failed may be tried again, or one that nobody has tried again is forgotten. */
  wake(key: string): void;
}

/** How long others wait for one call. An errand that has been tried in vain for this long is stuck. */
export const PATIENCE_MS = 1_000;
const BACKOFF = { firstMs: 100, maxMs: 30_000 };
/** An excused errand rests no longer than after this many failures. */
const EXCUSED_FAILURES = 4;
/** An errand that nobody has tried again for this long, although it could be, is no longer wanted. */
const OVER_AFTER_MS = 30_000;
const AT_A_TIME = 8;

interface Try {
  what: string;
  /** When the first of the tries in a row began. */
  sinceMs: number;
  failures: number;
  /** When the next try may begin; infinite while one is under way. */
  restsUntilMs: number;
}

export function createErrands({ clock, logger, isWanted = () => true, wake }: ErrandsOptions): Errands {
  const backoff = exponentialBackoff(BACKOFF);
  /**
   * By Lease, then by errand. Time alone drops entries: a limit for all Leases would let one that fails often make others forget what
   * rests, or is stuck.
   */
  const byLease = new Map<string, Map<string, Try>>();

  const isOver = ({ restsUntilMs }: Try) => clock.monotonicMs() > restsUntilMs + OVER_AFTER_MS;

  function remember(errand: Errand, attempt: Try): void {
    byLease.set(errand.key, (byLease.get(errand.key) ?? new Map()).set(idOf(errand), attempt));
  }

  /** Unless it has been tried again since this attempt. Tells whether it is forgotten. */
  function forget(errand: Errand, attempt: Try): boolean {
    const tries = byLease.get(errand.key);
    if (tries?.get(idOf(errand)) !== attempt) return false;
    tries.delete(idOf(errand));
    if (tries.size === 0) byLease.delete(errand.key);
    return true;
  }

  function fail(errand: Errand, attempt: Try, error: unknown): void {
    const { key, what, about } = errand;
    // Somebody was faster, and the watch brings what is true now.
    if (!hasCode(error, "Conflict", "NotFound", "AlreadyExists"))
      logger.warn(
        { ...aboutKey(key), ...about, errand: what, error: describeError(error) },
        "failed; will be tried again",
      );
    const restMs = backoff(attempt.failures++);
    attempt.restsUntilMs = clock.monotonicMs() + restMs;
    clock.after(restMs, () => {
      wake(key);
      clock.after(OVER_AFTER_MS, () => forget(errand, attempt) && wake(key));
    });
  }

  const rests: Errands["rests"] = (errand) => {
    const known = byLease.get(errand.key)?.get(idOf(errand));
    return known !== undefined && clock.monotonicMs() < known.restsUntilMs;
  };

  async function attempt(errand: Errand, work: () => Promise<unknown>): Promise<boolean> {
    const known = byLease.get(errand.key)?.get(idOf(errand));
    const nowMs = clock.monotonicMs();
    const isAgain = known !== undefined && !isOver(known);
    const current: Try = {
      what: errand.what,
      sinceMs: isAgain ? known.sinceMs : nowMs,
      failures: isAgain ? known.failures : 0,
      restsUntilMs: Number.POSITIVE_INFINITY,
    };
    remember(errand, current);
    try {
      await work();
      forget(errand, current);
      if (isSlow(current)) wake(errand.key);
      return true;
    } catch (error) {
      fail(errand, current, error);
      return false;
    }
  }

  const isSlow = ({ sinceMs }: Try) => clock.monotonicMs() - sinceMs >= PATIENCE_MS;

  return {
    get size() {
      return byLease.values().reduce((sum, tries) => sum + tries.size, 0);
    },
    rests,
    run(errand, work) {
      if (!isWanted() || rests(errand)) return Promise.resolve(false);
      return new Promise((resolve) => {
        const stop = clock.after(PATIENCE_MS, () => resolve(false));
        void attempt(errand, work).then((isDone) => {
          stop();
          resolve(isDone);
        });
      });
    },
    async runEach(items, run) {
      const left = items.values();
      let areDone = true;
      const next = async () => {
        for (const item of left) areDone = (await run(item)) && areDone;
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, next));
      return areDone;
    },
    isStuck({ key, what, uid }) {
      const tries = byLease.get(key);
      if (!tries) return false;
      const found = uid === undefined ? tries.values() : [tries.get(idOf({ what, uid }))].values();
      return found.some((one) => one?.what === what && isSlow(one) && !isOver(one));
    },
    excuse(key) {
      for (const one of byLease.get(key)?.values() ?? []) {
        one.sinceMs = clock.monotonicMs();
        one.failures = Math.min(one.failures, EXCUSED_FAILURES);
      }
    },
  };
}

const idOf = ({ what, uid }: Pick<Errand, "what" | "uid">) => `${what} ${uid}`;
