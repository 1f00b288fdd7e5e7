/** What `decide()` looks at, and the steps that it may name. */
import type { Evidence } from "./evidence.ts";
import { changeHold } from "./hold.ts";
import type { ClaimantRef, EndReason, Hold, HolderRef, Lease, LeaseRequest, LeaseStatus } from "./types.ts";

/** Added to the TTL before a holder counts as silent: renewals may be on their way. */
export const EXPIRY_ALLOWANCE_MS = 2_000;
/** A grant that is not confirmed within this time is taken back. */
export const CONFIRM_WITHIN_MS = 10_000;
/** How long after the grace period a kubelet may take to report that the pod has ended. */
export const TERMINATION_ALLOWANCE_MS = 5_000;
/** The API server tells the time in whole seconds, and two answers may come from two servers. */
export const DATE_ALLOWANCE_MS = 2_000;

/** How long things have lasted, on the arbiter's own monotonic clock, counted anew when it is elected. */
export interface HoldTimers {
  /** Since this hold was first seen. */
  heldForMs: number;
  /** Since its grant or last renewal was seen, be it the arbiter's own. */
  silentForMs: number;
  /** Since its claimant could confirm the grant; for a pod that is scheduled late, since its gate was seen started. */
  answerableForMs: number;
  /** Since phase Expired was seen. */
  expiredForMs: number;
  /** Since every pod that may run under the hold was seen being deleted, terminal or gone, or its deletion or live look is stuck. */
  endingForMs: number;
  /** Since no pod of the Job that holds was seen at work. */
  idleForMs: number;
}

/** What the holder's annotations say. */
export interface HolderWishes {
  startTimeoutMs: number;
  /** A crash loop after more restarts than this ends the hold if others wait; undefined: never. */
  maxRestarts?: number;
  /** The user accepts that two may run. */
  continueOnLoss: boolean;
  /** Renewals stop after this long; undefined: never. */
  maxHoldMs?: number;
}

export interface Situation {
  lease: Lease;
  /** Every LeaseRequest for this Lease. */
  requests: readonly LeaseRequest[];
  evidenceOf(ref: HolderRef): Evidence;
  /** How long ago the last answered live GET of the claimant or request with this uid began; infinite: never. */
  lookedAgoMs(uid: string): number;
  /** Whether this step has been tried in vain for a while, on the object of this uid or on any: nothing may wait for it. */
  isStuck(what: StuckStep, uid?: string): boolean;
  /** Whether a live GET has shown that the request of this uid is gone. */
  isRequestGone(uid: string): boolean;
  /** For how long, at least, a pod's kubelet has been stopping it: see `stoppingSinceMs`. undefined: nobody said so. */
  stoppingForMs(ref: HolderRef): number | undefined;
  /** Whether a node's kubelet is alive, as far as the control plane knows. */
  isNodeReady(node: string): boolean;
  /** How many pods, Jobs and clients may be running under a hold of a deleted Lease of this name. */
  unrecordedHolders: number;
  /** Which of these should have ended by now, see {@link LeaseStatus.awaited}. */
  overdueHolders?: string;
  timers: HoldTimers;
  wishes: HolderWishes;
  nowMs: number;
}

/** Steps on objects other than the Lease, which may be refused for ever. */
export type StuckStep = "look" | "trace" | "retire" | "deletePod" | StartStep;

/** Steps without which the holder cannot start. */
export type StartStep = "ungate" | "resume";

/**
 * The one next step. `forMs`: ask again after that long even if nothing changes. A step on an object other than the Lease may be refused
 * for ever, so it is named only while no time limit of the Lease has passed, or while the step is not stuck.
 */
export type Decision =
  | { do: "wait"; forMs?: number }
  | Step
  /**
   * Write this status. `trace` is marked first: its mark tells of the hold if the Lease is deleted. `passOver` is marked afterwards, which
   * overwrites such a mark. `granted` gets its status afterwards, too.
   */
  | {
      do: "write";
      status: LeaseStatus;
      why: Why;
      granted?: LeaseRequest;
      passOver?: LeaseRequest;
      trace?: LeaseRequest;
    }
  /** Delete this request: it had its hold. */
  | { do: "retire"; request: LeaseRequest };

/** A step on a claimant; `also`: further steps, none of which waits for another. */
export type Step = (
  | /** Find out by live GETs what is unknown or stale. */
  { do: "look"; at: ClaimantRef; others?: readonly ClaimantRef[] }
  /** Let the holder's pod be scheduled. */
  | { do: "ungate"; ref: ClaimantRef; forMs: number }
  /** Let the Job that holds make its pods, or have it stop making them. */
  | { do: "resume" | "suspend"; ref: ClaimantRef; forMs: number }
  /** Delete the holder's pod (its uid as precondition). */
  | { do: "deletePod"; ref: HolderRef; forMs: number }
) & { also?: readonly Step[] };

export type Why =
  | "Granted"
  | EndReason
  | "Renewed"
  | "NotRenewed"
  | "Expiring"
  | "Revoked"
  | "Succeeded"
  | "PodEnded"
  | "HolderUnreachable";

/** A step that writes the Lease's status. */
export type Write = Extract<Decision, { do: "write" }>;

/** Whether a hold goes on (with the step to take meanwhile) or is over. */
export type Verdict =
  | { is: "step"; step: Decision }
  | {
      is: "over";
      reason: EndReason;
      passOver?: LeaseRequest;
      /** The holder's work was proved to have succeeded. */
      hasSucceeded?: boolean;
    };

export const step = (decision: Decision): Verdict => ({ is: "step", step: decision });
export const over = (reason: EndReason, passOver?: LeaseRequest): Verdict => ({
  is: "over",
  reason,
  ...(passOver && { passOver }),
});

/** {@link over}; `hasSucceeded`: the holder's work was proved to have succeeded. */
export const overWith = (reason: EndReason, hasSucceeded: boolean): Verdict => ({
  ...{ is: "over", reason },
  ...(hasSucceeded && { hasSucceeded }),
});

/** `verdict`, but if it only waits, ask again after `forMs` at the latest. */
export function askedAgainWithin(verdict: Verdict, forMs: number): Verdict {
  if (verdict.is === "over" || verdict.step.do !== "wait" || !Number.isFinite(forMs)) return verdict;
  return step({ do: "wait", forMs: Math.min(forMs, verdict.step.forMs ?? forMs) });
}

/** Ask again soon: the call may fail, and its effect arrives by the watch. */
export const LOOK_AGAIN_MS = 1_000;

/** Adds `other` unless `verdict` is urgent or over: a step that may be refused for ever must not come before a time limit. */
export function meanwhile(verdict: Verdict, other: Step): Verdict {
  if (verdict.is === "over") return verdict;
  const { step: first } = verdict;
  if (isUrgent(first)) return verdict;
  if (first.do !== "wait") return step({ ...first, also: [...(first.also ?? []), other] });
  return step(
    "forMs" in other ? { ...other, forMs: Math.min(other.forMs, first.forMs ?? other.forMs) } : other,
  );
}

/** Whether it writes the Lease, or retires a request before a grant. */
export function isUrgent(decision: Decision): decision is Extract<Decision, { do: "write" | "retire" }> {
  return decision.do === "write" || decision.do === "retire";
}

/** Whether it writes something about the hold, which goes on. */
export function keepsHold(decision: Decision, { hold }: Pick<LeaseStatus, "hold">): boolean {
  return decision.do === "write" && hold !== undefined && decision.status.hold?.token === hold.token;
}

/** Whether a limit has passed: the hold is over, or its Lease has to say something new. */
export const isLimit = (verdict: Verdict) => verdict.is === "over" || isUrgent(verdict.step);

/** The answer to a live GET counts as fresh for this long. */
const FRESH_MS = 5_000;

/** A pod that may run under a hold, and what is known of it. */
export interface Seen {
  pod: HolderRef;
  evidence: Evidence;
}

/**
 * Whether the API server was asked for the pod within `withinMs`; a pod that is gone stays gone. A cache may lag: it may be believed that
 * something has happened, but not that it has not.
 */
export function isFresh({ lookedAgoMs }: Situation, { pod, evidence }: Seen, withinMs = FRESH_MS): boolean {
  if (evidence.is === "gone" || evidence.is === "unknown") return evidence.is === "gone";
  return lookedAgoMs(pod.uid) <= Math.min(withinMs, FRESH_MS);
}

/** A look at those `pods` whose evidence is not fresh and whose look is not stuck; undefined: there are none. */
export function lookAt(situation: Situation, pods: readonly Seen[], withinMs?: number): Verdict | undefined {
  const [at, ...others] = pods
    .filter((seen) => !isFresh(situation, seen, withinMs) && !situation.isStuck("look", seen.pod.uid))
    .map(({ pod }) => pod);
  return at && step({ do: "look", at, ...(others.length > 0 && { others }) });
}

export function change({ lease }: Situation, of: Partial<Hold>, why: Why): Decision {
  return { do: "write", status: changeHold(lease.status, of), why };
}
