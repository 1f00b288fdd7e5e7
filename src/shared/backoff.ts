/** How long to wait before try number `attempt` (0 is the first retry). */
export type Backoff = (attempt: number) => number;

export interface BackoffOptions {
  firstMs: number;
  maxMs: number;
  /** Source of jitter in [0, 1). */
  random?: () => number;
}

/**
 * Exponential backoff with full upper jitter: doubling from `firstMs` up to `maxMs`, each delay drawn from its upper half, so
 * that many clients cut off at the same moment do not come back at the same moment.
 */
export function exponentialBackoff({ firstMs, maxMs, random = Math.random }: BackoffOptions): Backoff {
  return (attempt) => {
    const ceilingMs = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30));
    return ceilingMs / 2 + (ceilingMs / 2) * random();
  };
}
