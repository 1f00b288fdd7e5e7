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

/** How long things have lasted, on the arbiter's own monotonic clock, counted anew when it is elected. */
export interface HoldTimers {
  /** Since this hold was first seen. */
  heldForMs: number;
  /** Since its grant or last renewal was seen. */
  silentForMs: number;
  /** Since phase Expired was seen. */
  expiredForMs: number;
  /** Since every pod that may run under the hold was seen being deleted, terminal or gone. */
  endingForMs: number;
  /** Since no pod of the Job that holds was seen at work. */
  idleForMs: number;
}

/** What the holder's annotations say. */
export interface HolderWishes {
  startTimeoutMs: number;
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
  /** Whether a live GET has shown that the request of this uid is gone. */
  isRequestGone(uid: string): boolean;
  /** Whether a node's kubelet is alive, as far as the control plane knows. */
  isNodeReady(node: string): boolean;
  /** Pods and clients that may be running under a hold of a deleted Lease of this name. */
  unrecordedHolders: number;
  timers: HoldTimers;
  wishes: HolderWishes;
  nowMs: number;
}

/** The one next step. `forMs`: ask again after that long even if nothing changes. */
export type Decision =
  | { do: "wait"; forMs?: number }
  /** Find out by a live GET what is not known. */
  | { do: "look"; at: ClaimantRef }
  /**
   * Write this status. `passOver` gets its mark first; so does `trace`, by which the hold is known if the Lease is deleted.
   * `granted` gets its status afterwards.
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
  | { do: "retire"; request: LeaseRequest }
  /** Let the holder's pod be scheduled. */
  | { do: "ungate"; ref: ClaimantRef; forMs: number }
  /** Let the Job that holds make its pods, or have it stop making them. */
  | { do: "resume" | "suspend"; ref: ClaimantRef; forMs: number }
  /** Delete the holder's pod (its uid as precondition). */
  | { do: "deletePod"; ref: ClaimantRef; forMs: number };

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

/** Asked again soon: the call may fail, and its effect comes by the watch. */
export const LOOK_AGAIN_MS = 1_000;

export function change({ lease }: Situation, of: Partial<Hold>, why: Why): Decision {
  return { do: "write", status: changeHold(lease.status, of), why };
}
