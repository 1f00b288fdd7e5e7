/** What `decide()` looks at, and the steps that it may name. */
import type { Evidence } from "./evidence.ts";
import { changeHold } from "./hold.ts";
import type { ClaimantRef, EndReason, Hold, HolderRef, Lease, LeaseRequest, LeaseStatus } from "./types.ts";

/** Added to the TTL before a holder counts as silent: renewals may be on their way. */
export const EXPIRY_ALLOWANCE_MS = 2_000;
/** A grant that is not answered for so long is taken back. */
export const CONFIRM_WITHIN_MS = 10_000;
/** Beyond its grace period a pod that was told to end may need so long until its kubelet has said so. */
export const TERMINATION_ALLOWANCE_MS = 5_000;
/** The API server tells its time in whole seconds, and two of its answers may be from two servers. */
export const DATE_ALLOWANCE_MS = 2_000;

/** How long things have lasted, on the arbiter's own monotonic clock, counted anew when it is elected. */
export interface HoldTimers {
  /** Since this hold was first seen. */
  heldForMs: number;
  /** Since its grant or last renewal was seen, be it the arbiter's own. */
  silentForMs: number;
  /** Since its claimant could answer its grant: of a pod that is scheduled late, since its gate was seen to have started. */
  answerableForMs: number;
  /** Since phase Expired was seen. */
  expiredForMs: number;
  /** Since every pod that may run under the hold was seen being deleted, terminal or gone, or could be neither told to end nor seen. */
  endingForMs: number;
  /** Since no pod of the Job that holds was seen at work. */
  idleForMs: number;
}

/** What the holder's annotations say. */
export interface HolderWishes {
  startTimeoutMs: number;
  /** A crash loop after more restarts ends the hold where others wait; undefined: never. */
  maxRestarts?: number;
  /** The user accepts that two may run. */
  continueOnLoss: boolean;
  /** Renewals stop after it; undefined: never. */
  maxHoldMs?: number;
}

export interface Situation {
  lease: Lease;
  /** Every LeaseRequest for this Lease. */
  requests: readonly LeaseRequest[];
  evidenceOf(ref: HolderRef): Evidence;
  /** How long ago the API server was asked for the pod of this uid, and answered; infinite: never. */
  lookedAgoMs(uid: string): number;
  /** Whether this step has been tried for a while in vain, at the object of this uid, or at any: nothing may wait for it. */
  isStuck(what: StuckStep, uid?: string): boolean;
  /** Whether a live GET has shown that the request of this uid is gone. */
  isRequestGone(uid: string): boolean;
  /** For how long, at least, a pod's kubelet has been stopping it: see `stoppingSinceMs`. undefined: nobody said so. */
  stoppingForMs(ref: HolderRef): number | undefined;
  /** Whether a node's kubelet is alive, as far as the control plane knows. */
  isNodeReady(node: string): boolean;
  /** Pods and clients that may be running under a hold of a deleted Lease of this name. */
  unrecordedHolders: number;
  timers: HoldTimers;
  wishes: HolderWishes;
  nowMs: number;
}

/** What is done to others than the Lease, and may be refused for ever. */
export type StuckStep = "look" | "trace" | "retire" | "deletePod";

/**
 * The one next step. `forMs`: ask again after that long even if nothing changes. A step at another object than the Lease may be refused
 * for ever: it is named only where no time limit of the Lease has passed, or for as long as it is not stuck.
 */
export type Decision =
  | { do: "wait"; forMs?: number }
  | Step
  /**
   * Write this status. `trace` gets its mark first, by which the hold is known if the Lease is deleted; `passOver` gets its own afterwards,
   * which takes such a mark away, and so does `granted` its status.
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

/** A step at a claimant; `also`: others, none of which waits for another. */
export type Step = (
  | /** Find out by live GETs what is not known. */
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
  | "PodEnded"
  | "HolderUnreachable";

/** A step that writes the Lease's status. */
export type Write = Extract<Decision, { do: "write" }>;

/** Whether a hold goes on (with the step to take meanwhile) or is over. */
export type Verdict =
  | { is: "step"; step: Decision }
  | { is: "over"; reason: EndReason; passOver?: LeaseRequest };

export const step = (decision: Decision): Verdict => ({ is: "step", step: decision });
export const over = (reason: EndReason, passOver?: LeaseRequest): Verdict => ({
  is: "over",
  reason,
  ...(passOver && { passOver }),
});

/** The same, but where it waits it is asked again after `forMs` at the latest. */
export function askedAgainWithin(verdict: Verdict, forMs: number): Verdict {
  if (verdict.is === "over" || verdict.step.do !== "wait" || !Number.isFinite(forMs)) return verdict;
  return step({ do: "wait", forMs: Math.min(forMs, verdict.step.forMs ?? forMs) });
}

/** Asked again soon: the call may fail, and its effect comes by the watch. */
export const LOOK_AGAIN_MS = 1_000;

/** `other` while all that `verdict` asks for are steps that may be refused for ever, so that it stands before no limit. */
export function meanwhile(verdict: Verdict, other: Step): Verdict {
  if (verdict.is === "over") return verdict;
  const { step: first } = verdict;
  if (isUrgent(first)) return verdict;
  if (first.do !== "wait") return step({ ...first, also: [...(first.also ?? []), other] });
  return step(
    "forMs" in other ? { ...other, forMs: Math.min(other.forMs, first.forMs ?? other.forMs) } : other,
  );
}

/** Whether it changes what the Lease says. */
export function isUrgent(decision: Decision): decision is Extract<Decision, { do: "write" | "retire" }> {
  return decision.do === "write" || decision.do === "retire";
}

/** Whether a limit has passed: the hold is over, or its Lease has to say something new. */
export const isLimit = (verdict: Verdict) => verdict.is === "over" || isUrgent(verdict.step);

/** What was told lately is told again from now on. */
const FRESH_MS = 5_000;

/** A pod that may run under a hold, and what is known of it. */
export interface Seen {
  pod: HolderRef;
  evidence: Evidence;
}

/**
 * Whether what is known of the pod was asked of the API server within `withinMs`. What a cache shows may be behind: that something has
 * happened may be believed, and that it has not may not.
 */
export function isFresh({ lookedAgoMs }: Situation, { pod, evidence }: Seen, withinMs = FRESH_MS): boolean {
  if (evidence.is === "gone" || evidence.is === "unknown") return evidence.is === "gone";
  return lookedAgoMs(pod.uid) <= Math.min(withinMs, FRESH_MS);
}

/** A look at those of `pods` of whom nothing fresh is known and who can be looked at; undefined: there are none. */
export function lookAt(situation: Situation, pods: readonly Seen[], withinMs?: number): Verdict | undefined {
  const [at, ...others] = pods
    .filter((seen) => !isFresh(situation, seen, withinMs) && !situation.isStuck("look", seen.pod.uid))
    .map(({ pod }) => pod);
  return at && step({ do: "look", at, ...(others.length > 0 && { others }) });
}

export function change({ lease }: Situation, of: Partial<Hold>, why: Why): Decision {
  return { do: "write", status: changeHold(lease.status, of), why };
}
