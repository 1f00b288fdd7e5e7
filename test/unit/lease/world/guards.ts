/** What keeps two from running at once, each to be switched off to see that it is needed. */
export interface Guards {
  /** Writes of the Lease's status carry the resourceVersion that was read. */
  guardedWrites: boolean;
  /** Main starts only after the grant was confirmed. */
  confirm: boolean;
  /** Silence is measured from when a renewal was seen, not from `expires` by another machine's clock. */
  monotonicSilence: boolean;
  /** A pod's status proves something about a hold only if its gate left the hold's token. */
  tokenedProof: boolean;
  /** Whether the keeper was last seen running is asked of the API server once the hold has expired. */
  liveLookAtExpired: boolean;
  /** Keepers stop their pods before the ttl is over. */
  fencing: boolean;
  /** Before the first grant of a Lease that was created again, holders under the deleted one are waited for. */
  waitForUnrecorded: boolean;
  /** A confirmed hold is only granted anew to a later run of its gate: an acquire may have been on its way for long. */
  laterRunsOnly: boolean;
  /** A hold never lasts shorter than its keeper counts, though the ttl was shortened. */
  keepCountedTtl: boolean;
  /** A gate that asks again is no longer passed over. */
  unmarkWhoAsks: boolean;
  /** The first token of a Lease is its time of creation. */
  tokensFromBirth: boolean;
  /** Who may run under a Job's hold is read from the Lease, and not from what is seen of its pods. */
  memberList: boolean;
  /** A status of an earlier run of a pod, which had the same token, proves nothing. */
  runProof: boolean;
}

export const ALL_GUARDS: Guards = {
  guardedWrites: true,
  confirm: true,
  monotonicSilence: true,
  tokenedProof: true,
  liveLookAtExpired: true,
  fencing: true,
  waitForUnrecorded: true,
  laterRunsOnly: true,
  keepCountedTtl: true,
  unmarkWhoAsks: true,
  tokensFromBirth: true,
  memberList: true,
  runProof: true,
};
