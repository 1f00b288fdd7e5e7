/** When a hold is renewed, and when its work must begin to stop. Pure: milliseconds in, milliseconds out. */

/** Time after the grace period for killed processes to be gone, and for late timers. */
const LONGEST_MARGIN_MS = 2_000;
const MARGIN_OF_TTL = 1 / 10;
export const DEFAULT_GRACE_MS = 10_000;

/** A hold is renewed three times per ttl, with jitter so that not all renew at once. `random` in [0, 1). */
export function renewEveryMs(ttlMs: number, random: number): number {
  return (ttlMs / 3) * (0.95 + 0.1 * random);
}

/** How long before the end of its ttl a hold counts as lost, so that work which needs `graceMs` to stop has stopped in time. */
export function reserveMs(ttlMs: number, graceMs: number): number {
  return graceMs + Math.min(LONGEST_MARGIN_MS, ttlMs * MARGIN_OF_TTL);
}

/** The grace period that leaves half of the ttl: a renewal is due after a third of it, and may need retries. */
export function longestGraceMs(ttlMs: number): number {
  return Math.floor(ttlMs / 2 - reserveMs(ttlMs, 0));
}

/** The grace period where none was asked for. */
export function defaultGraceMs(ttlMs: number): number {
  return Math.min(DEFAULT_GRACE_MS, ttlMs / 3);
}
