/** What keeps two clients from running at once, each to be switched off to see that it is needed. */
export interface Guards {
  /** Writes of the Lease's status carry the resourceVersion that was read. */
  guardedWrites: boolean;
  /** A client runs only after its grant was confirmed. */
  confirm: boolean;
  /** Silence is measured from when a renewal was seen, not from `expires` by another machine's clock. */
  monotonicSilence: boolean;
  /** Before the first grant of a Lease that was created again, holds under the deleted one are waited for. */
  waitForUnrecorded: boolean;
  /** Which requests tell of such holds is asked of the API server, since a cache may not know of them yet. */
  listUnrecorded: boolean;
  /** A grant is written into its request before its confirmation is. */
  traceFirst: boolean;
  /** A hold never lasts shorter than its client counts, though the ttl was shortened. */
  keepCountedTtl: boolean;
  /** A request is deleted only as it was read: it may have been granted since. */
  guardedDeletes: boolean;
  /** That a hold is over is concluded from a live look at its Lease, not from a cache that may be behind. */
  lookBeforeEnd: boolean;
  /** A client counts from the first of the renewals of which it has seen nothing yet, not from the last. */
  countFromFirst: boolean;
  /** The first token of a Lease is its time of creation. */
  tokensFromBirth: boolean;
}

export const ALL_GUARDS: Guards = {
  guardedWrites: true,
  confirm: true,
  monotonicSilence: true,
  waitForUnrecorded: true,
  listUnrecorded: true,
  traceFirst: true,
  keepCountedTtl: true,
  guardedDeletes: true,
  lookBeforeEnd: true,
  countFromFirst: true,
  tokensFromBirth: true,
};
