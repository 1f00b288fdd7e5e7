import { exponentialBackoff } from "../../shared/backoff.ts";
import type { Clock } from "../../shared/clock.ts";
import { describeError } from "../../shared/errors.ts";
import type { Logger } from "../../shared/log.ts";

const BACKOFF = { firstMs: 250, maxMs: 10_000 };

export interface PersistOptions {
  /** Completes "cannot …". */
  what: string;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
}

/** Tries `action` until it succeeds: what a replica needs before it can serve may take the cluster a while. */
export async function persist<T>(
  action: () => Promise<T>,
  { what, clock, logger, signal }: PersistOptions,
): Promise<T> {
  const backoff = exponentialBackoff(BACKOFF);
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      if (signal.aborted) throw error;
      logger.warn({ error: describeError(error) }, `cannot ${what} yet; trying again`);
      await clock.sleep(backoff(attempt), signal);
    }
  }
}
