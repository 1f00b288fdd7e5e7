/**
 * Leases and LeaseRequests as the rules see them: parsed, in milliseconds, and without states that cannot be. What goes
 * over the wire is in codec.ts and hold-codec.ts.
 */

/** The ttl of a Lease that names none. */
export const DEFAULT_TTL_MS = 600_000;

/** When the next claimant may start after a holder went silent. */
export type HandoverPolicy = "AfterExpiry" | "AfterTermination";

/** Who claims or holds. For a pod, `uid` is its identity; names come back (StatefulSets), uids do not. */
export interface ClaimantRef {
  kind: "Pod" | "Job" | "LeaseRequest";
  name: string;
  uid: string;
}

/** What must be known of a holder even when its pod object is gone and the arbiter has just started. */
export interface HolderRef extends ClaimantRef {
  /** The node it was granted on: proof by an out-of-service taint needs it. */
  node?: string;
  graceSeconds?: number;
  /** Whether its keeper was injected with the rule that stops the pod without the API server's help. */
  selfFencing?: boolean;
  /**
   * When its keeper said that it was asked to stop, and a live GET then found the pod being deleted, or gone: from then on its kubelet is
   * stopping it. By the API server's time.
   */
  stoppingSinceMs?: number;
}

/** A pod that shares the hold of its Job: it was let through, and nothing has proved yet that its main has ended. */
export interface HolderPod extends HolderRef {
  kind: "Pod";
  /** The run of its gate that let it through: see src/shared/gate-run.ts. */
  gateRun?: string;
  /** Since when its keeper runs or, where it is `releasing`, was asked to stop; undefined where it has not said so. */
  keeperSince?: string;
  /** Its keeper was asked to stop, so that it cannot fence any more. */
  releasing: boolean;
}

/** Why renewals of a live hold are refused from now on. */
export type RevokeReason = "NotStarted" | "CrashLooping" | "Forced";

/** One period of exclusive use. It exists while the Lease's phase is Held or Expired. */
export interface Hold {
  /** What people see: the pod's name, or what a client called itself. */
  holder: string;
  ref: HolderRef;
  /** In a Job's hold: every pod that may be running under it. */
  pods?: readonly HolderPod[];
  token: number;
  acquiredMs: number;
  /** For people. The arbiter measures silence on its own clock. */
  expiresMs: number;
  /** The promise that this hold was given; `spec.ttl` may have changed since. */
  ttlMs: number;
  renewals: number;
  /** Whether the claimant has answered its grant; before that no main container can have started. */
  confirmed: boolean;
  /** When it did; undefined where an older konductor wrote it. */
  confirmedMs?: number;
  /** The run of the pod's gate that confirmed it: see src/shared/gate-run.ts. */
  gateRun?: string;
  /** Since when the pod's keeper runs or, where it is `releasing`, was asked to stop; undefined where it has not said so. */
  keeperSince?: string;
  /** The `renewTime` of its client's request that was taken into account last. */
  renewTimeMs?: number;
  /** The key of the work that is done under it once: see once.ts. */
  once?: string;
  /** That work has succeeded, and its pods have not all ended yet: what showed it may be gone by the hold's end. */
  succeeded?: true;
  /** The phase is Expired: the TTL and its allowance passed in silence. */
  expired: boolean;
  /** The keeper said that it ends, and nothing has proved yet that main ended. Such a holder cannot fence itself any more. */
  releasing: boolean;
  /** When it said so; undefined where it is not `releasing`. */
  releasingMs?: number;
  revoked?: RevokeReason;
  /** Silent, not provably ended, and the policy forbids a handover without proof: somebody must act. */
  unreachable: boolean;
  /** Where its spans hang: the request's. */
  traceparent?: string;
}

/**
 * How a hold ended; kept in the Lease's history. Terminated: main was proved to have ended. Restarted: its gate ran again. Suspended: its
 * Job was. NotStarted: no pod of its Job was at work in time.
 */
export type EndReason =
  | "Released"
  | "Terminated"
  | "Expired"
  | "NotConfirmed"
  | "Fenced"
  | "Restarted"
  | "Forced"
  | "Suspended"
  | "NotStarted";

export interface PastHold {
  holder: string;
  acquiredMs: number;
  endedMs: number;
  reason: EndReason;
  token: number;
  /** Who ended it, where an admin did. */
  by?: string;
}

/** Work that has provably succeeded under a Lease, which is not granted for it again. */
export interface DoneWork {
  key: string;
  /** Who did it. */
  holder: string;
  /** Of the hold under which it was done. */
  token: number;
  /** When that hold ended. */
  timeMs: number;
}

/** An admin's word that the hold with this token is over: from then on it is not renewed. */
export interface ForcedRelease {
  token: number;
  /** The user's name. */
  by: string;
  /** Without waiting for proof that the holder has ended. */
  now: boolean;
}

/** An admin's word that the work `key`, done under this token or an earlier one, counts as not done. */
export interface ForgottenWork {
  key: string;
  token: number;
  /** The user's name. */
  by: string;
}

/** One condition of a Lease or LeaseRequest, as metav1.Condition has it. */
export interface Condition {
  type: string;
  status: "True" | "False";
  reason: string;
  message: string;
  lastTransitionMs: number;
}

/** Who has paused a Lease, and when, by the API server's time. */
export interface Pause {
  /** The user's name. */
  by: string;
  sinceMs: number;
}

export interface LeaseStatus {
  /** undefined: Available. */
  hold?: Hold;
  /** The highest token ever granted under this object; undefined before its first grant. */
  lastToken?: number;
  /** uid of the LeaseRequest granted last: a request is good for one hold, even before its own status shows it. */
  lastRequest?: string;
  waiters: number;
  /** Who is served next, and since when it waits; undefined: nobody who could use a grant. */
  next?: { holder: string; sinceMs: number };
  /** How many Jobs were skipped; undefined: none. */
  skipped?: number;
  history: readonly PastHold[];
  /**
   * Who may still run under a deleted Lease of this name, although time enough has passed for their end, and what to do about it, as the
   * condition HolderUnreachable says it while nobody holds; undefined: nobody.
   */
  awaited?: string;
  /** When the last hold ended that was confirmed: its main may have run. */
  lastEndedMs?: number;
  /** Work that is done, the latest first; undefined: none. */
  done?: readonly DoneWork[];
  /** How long the last holds lasted, the latest first, in whole seconds: more of them than `history` has, for forecasts. */
  holdSeconds: readonly number[];
  conditions: readonly Condition[];
  observedGeneration: number;
}

export interface LeaseSpec {
  ttlMs: number;
  priority: number;
  renewable: boolean;
  handoverPolicy?: HandoverPolicy;
  /** Nobody new is granted it. */
  paused?: boolean;
  /** Why, in the owner's words: one line. */
  pauseReason?: string;
  /** How long after the end of a hold the next is granted at the earliest. */
  minIntervalMs?: number;
  /** How many may wait; undefined: any number. */
  maxWaiting?: number;
}

export interface Lease {
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
  generation: number;
  createdMs: number;
  terminating: boolean;
  spec: LeaseSpec;
  /** The last one; it may be about a hold that is long over. */
  forced?: ForcedRelease;
  /** Only of a Lease that is paused, and where our webhook saw that. */
  pause?: Pause;
  /** The last one; it may have been taken over long ago. */
  forgotten?: ForgottenWork;
  /** The highest token of the Lease from whose manifest this one was created again. */
  restoredToken?: number;
  /** What was forgotten or restored is not stored in the status yet, though `status` here shows it: see done-annotations.ts. */
  isDoneOutdated?: boolean;
  status: LeaseStatus;
}

export type RequestPhase = "Pending" | "Granted" | "Denied" | "Expired";

/** One claimant's wish to hold a Lease, or the trace of its hold. */
export interface LeaseRequest {
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
  createdMs: number;
  terminating: boolean;
  /** The uid of the pod in which its client ran; undefined for a client outside of pods. */
  clientPod?: string;
  /** Which attempt of its client made it. */
  clientAttempt?: string;
  /** Where the spans of its wait and its hold are to hang. */
  traceparent?: string;
  spec: {
    lease: string;
    holder: string;
    /** Set by konductor's account only; without it the request is a client's. */
    ref?: ClaimantRef;
    /** undefined: the Lease's. */
    priority?: number;
    ttlMs?: number;
    requestedAtMs: number;
    requestedBy?: string;
    /** When its client last asked for a renewal, or confirmed the grant. */
    renewTimeMs?: number;
    waitUntilMs?: number;
    /** The run of its pod's gate that asked: see src/shared/gate-run.ts. */
    gateRun?: string;
    /** The key of work that is to be done once: see once.ts. */
    once?: string;
    /** Its client's word that the work has succeeded under the hold with this token, which is over by that. */
    succeeded?: number;
  };
  status: {
    phase: RequestPhase;
    reason?: string;
    /** It waits within the `maxWaiting` of its Lease, and is not turned away any more. */
    mayWait?: true;
    token?: number;
    /** The ttl of the hold. */
    holdTtlMs?: number;
    /** When a request that was denied, or whose hold is over, is deleted. */
    expiresMs?: number;
  };
  /** Its condition Granted, and since when it is so; undefined: the schema's default, or that of an older konductor. */
  granted?: { is: boolean; sinceMs: number };
}

/** `namespace/name`, the key under which stores and queues know an object. */
export function keyOf({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}

/** The namespace in a key of {@link keyOf}. */
export function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}
