/**
 * The one place where it is decided who holds a Lease.
 *
 * `decide` is pure: it looks at a Lease, its requests, what is known of the claimants' pods and how long the holder has been silent,
 * and names the one next step. It is asked again after every step and every change, so it keeps no state and a step that
 * failed, happened twice or was lost is simply found undone.
 *
 * What it guarantees, as long as every write it asks for is guarded by the Lease's resourceVersion, and evidence is never invented
 * (a pod is `gone` only after a live GET; `silentForMs` counts from when a renewal was *seen*):
 * - a hold that was confirmed ends only by its keeper's release, by proof that main ended, or after ttl + allowance of silence and
 *   what the handover policy asks for beyond that;
 * - the next grant is computed from the state in which nobody holds, so no two claimants hold at once;
 * - tokens strictly increase; waiters are served by priority, then age; a waiter is passed over only while it cannot use a grant.
 *
 * Limits: with AfterExpiry, a holder whose kubelet is dead or frozen may still run; the fencing token is the remedy.
 */
import { defined } from "../shared/json.ts";
import { isEligible, isPast, isProven, lastSeen, type PodEvidence, wasGuarded } from "./evidence.ts";
import {
  changeHold,
  endHold,
  forcedRelease,
  grantHold,
  holderRefOf,
  holdTtlMs,
  nextToken,
  renewHold,
} from "./hold.ts";
import { isWaiting, NOT_CONFIRMED, waitingInOrder, waitsUntilMs } from "./order.ts";
import { hasKeptSinceGate, hasStarted, isTerminal, isUnscheduled, type PodView } from "./pod.ts";
import type {
  ClaimantRef,
  EndReason,
  HandoverPolicy,
  Hold,
  HolderRef,
  Lease,
  LeaseRequest,
  LeaseStatus,
} from "./types.ts";

/** Added to the TTL before a holder counts as silent: renewals may be on their way. */
export const EXPIRY_ALLOWANCE_MS = 2_000;
/** A grant that is not answered for so long is taken back. */
export const CONFIRM_WITHIN_MS = 10_000;
/** Beyond its grace period a pod that was told to end may need so long until its kubelet has said so. */
export const TERMINATION_ALLOWANCE_MS = 5_000;
/** How long an expired Lease that nobody wants shows its phase. */
const EXPIRED_SHOWN_MS = 1_000;

const UNRECORDED_LOOK_EVERY_MS = 5_000;

/** How long things have lasted, on the arbiter's own monotonic clock, counted anew when it is elected. */
export interface HoldTimers {
  /** Since this hold was first seen. */
  heldForMs: number;
  /** Since its grant or last renewal was seen. */
  silentForMs: number;
  /** Since phase Expired was seen. */
  expiredForMs: number;
  /** Since the holder's pod was seen being deleted, terminal or gone. */
  endingForMs: number;
}

/** What the holder's annotations say. */
export interface HolderWishes {
  startTimeoutMs: number;
  /** The user accepts that two may run. */
  continueOnLoss: boolean;
}

export interface Situation {
  lease: Lease;
  /** Every LeaseRequest for this Lease. */
  requests: readonly LeaseRequest[];
  evidenceOf(ref: HolderRef): PodEvidence;
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
  /** Delete the holder's pod (its uid as precondition). */
  | { do: "deletePod"; ref: ClaimantRef; forMs: number };

export type Why =
  | "Granted"
  | EndReason
  | "Renewed"
  | "NotRenewed"
  | "Expiring"
  | "Revoked"
  | "HolderUnreachable";

/** The next step for one Lease. */
export function decide(situation: Situation): Decision {
  const { lease } = situation;
  const { hold } = lease.status;
  if (!hold) return serveNext(situation, lease.status);
  const verdict = hold.ref.kind === "LeaseRequest" ? judgeClient(situation, hold) : judgePod(situation, hold);
  if (verdict.is === "step") return verdict.step;
  const { reason } = verdict;
  // Its request does not show the grant yet. Were it retired now, the hold would next be taken for released.
  if (situation.requests.some((request) => isWaiting(request) && request.uid === hold.ref.uid))
    return endOnly(situation, reason);
  const next = serveNext(situation, endHold(lease, reason, situation.nowMs), verdict.passOver);
  if (next.do === "write") return { ...next, ...(verdict.passOver && { passOver: verdict.passOver }) };
  if (next.do !== "wait") return next;
  const shownForMs = situation.timers.expiredForMs;
  if (hold.expired && shownForMs < EXPIRED_SHOWN_MS)
    return { do: "wait", forMs: EXPIRED_SHOWN_MS - shownForMs };
  return endOnly(situation, reason, verdict.passOver);
}

type Write = Extract<Decision, { do: "write" }>;

/** Whether a hold goes on (with the step to take meanwhile) or is over. */
type Verdict = { is: "step"; step: Decision } | { is: "over"; reason: EndReason; passOver?: LeaseRequest };

const step = (decision: Decision): Verdict => ({ is: "step", step: decision });
const over = (reason: EndReason, passOver?: LeaseRequest): Verdict => ({
  is: "over",
  reason,
  ...(passOver && { passOver }),
});

function judgePod(situation: Situation, hold: Hold): Verdict {
  const evidence = situation.evidenceOf(hold.ref);
  if (evidence.is === "unknown") return step({ do: "look", at: hold.ref });
  if (isProven(evidence, hold.token)) return over("Terminated");
  if (!hold.confirmed) {
    return isScheduledLate(evidence)
      ? judgeUnscheduled(situation, hold, evidence.pod)
      : judgeUnconfirmed(situation, hold, isPast(evidence));
  }
  const forced = judgeForced(situation, hold, evidence);
  if (forced) return forced;
  if (hold.expired) return judgeExpired(situation, hold, evidence);
  const { timers, wishes } = situation;
  const pod = lastSeen(evidence);
  const startsInMs =
    pod && evidence.is === "present" && !hold.revoked && !hasStarted(pod, hold.token)
      ? wishes.startTimeoutMs - timers.heldForMs
      : Number.POSITIVE_INFINITY;
  if (startsInMs <= 0) return step(change(situation, { revoked: "NotStarted" }, "Revoked"));
  if (hold.revoked && !hold.ref.selfFencing && isDeletable(evidence)) return step(deletePod(hold));
  return judgeSilence(situation, hold, startsInMs);
}

function judgeClient(situation: Situation, hold: Hold): Verdict {
  if (forcedRelease(situation.lease, hold)) return over("Forced");
  const request = situation.requests.find(({ uid }) => uid === hold.ref.uid);
  if (request?.terminating || situation.isRequestGone(hold.ref.uid)) return over("Released");
  if (!request) return step({ do: "look", at: hold.ref });
  if (hold.expired) return over("Expired");
  // The webhook never lets it go back: an earlier one comes from a cache that is behind.
  if ((request.spec.renewTimeMs ?? 0) > (hold.renewTimeMs ?? 0)) {
    const answer = renewClient(situation, hold, request);
    // However fast refusals are asked for, they do not keep it from expiring.
    if (answer.why === "Renewed" || silenceLeftMs(situation, hold) > 0) return step(answer);
  }
  if (!hold.confirmed) return judgeUnconfirmed(situation, hold, false);
  return judgeSilence(situation, hold, Number.POSITIVE_INFINITY);
}

/** Its client has asked for a renewal, or confirms the grant. A refusal is an answer too, and renews nothing. */
function renewClient({ lease, nowMs }: Situation, hold: Hold, request: LeaseRequest): Write {
  const { renewTimeMs } = request.spec;
  const renewal = {
    uid: hold.ref.uid,
    token: hold.token,
    // A client does not look whether its ttl has become shorter.
    countedTtlMs: hold.ttlMs,
    wantedTtlMs: holdTtlMs(lease, request.spec.ttlMs, undefined),
    renew: true,
  };
  const renewed = renewHold(lease, renewal, nowMs);
  const status = renewed.ok ? renewed.status : lease.status;
  return {
    do: "write",
    status: changeHold(status, defined({ renewTimeMs })),
    why: renewed.ok ? "Renewed" : "NotRenewed",
    trace: request,
  };
}

/**
 * An admin took the Lease away: renewals are refused from then on. A pod that is seen running where its kubelet can end it is
 * deleted, and its end awaited; otherwise the admin's word is taken.
 */
function judgeForced(situation: Situation, hold: Hold, evidence: PodEvidence): Verdict | undefined {
  const forced = forcedRelease(situation.lease, hold);
  if (!forced) return undefined;
  const node = evidence.is === "present" && !isTerminal(evidence.pod) ? evidence.pod.node : undefined;
  const isSeenRunning = node !== undefined && situation.isNodeReady(node);
  if (forced.now || !isSeenRunning) return over("Forced");
  if (hold.revoked === undefined) return step(change(situation, { revoked: "Forced" }, "Revoked"));
  return isDeletable(evidence) ? step(deletePod(hold)) : undefined;
}

/** Before its grant is confirmed no main can have started, so nothing needs proof. */
function judgeUnconfirmed({ lease, requests, timers }: Situation, hold: Hold, isPastUse: boolean): Verdict {
  if (forcedRelease(lease, hold)) return over("Forced");
  if (isPastUse) return over("NotConfirmed");
  const leftMs = CONFIRM_WITHIN_MS - timers.silentForMs;
  if (leftMs > 0) return step({ do: "wait", forMs: leftMs });
  return over(
    "NotConfirmed",
    requests.find(({ spec: { ref } }) => ref?.uid === hold.ref.uid),
  );
}

type Present = Extract<PodEvidence, { is: "present" }>;

/** Whether the pod is only scheduled once it holds, so that its gate confirms when it has found a node and its images. */
function isScheduledLate(evidence: PodEvidence): evidence is Present {
  return evidence.is === "present" && !isPast(evidence) && isUnscheduled(evidence.pod);
}

/** Nothing of it runs yet, and may not for long: within start-timeout the hold is kept for it. */
function judgeUnscheduled(situation: Situation, hold: Hold, pod: PodView): Verdict {
  const { lease, requests, timers, wishes, nowMs } = situation;
  if (forcedRelease(lease, hold)) return over("Forced");
  const leftMs = wishes.startTimeoutMs - timers.heldForMs;
  if (leftMs <= 0) {
    return over(
      "NotConfirmed",
      requests.find(({ spec: { ref } }) => ref?.uid === hold.ref.uid),
    );
  }
  if (pod.gated) return step({ do: "ungate", ref: hold.ref, forMs: LOOK_AGAIN_MS });
  const renewInMs = hold.ttlMs / 3 - timers.silentForMs;
  if (renewInMs <= 0) return step(change(situation, { expiresMs: nowMs + hold.ttlMs }, "Renewed"));
  return step({ do: "wait", forMs: Math.min(leftMs, renewInMs) });
}

function judgeSilence(situation: Situation, hold: Hold, otherwiseInMs: number): Verdict {
  const leftMs = silenceLeftMs(situation, hold);
  if (leftMs <= 0) return step(change(situation, { expired: true }, "Expiring"));
  return step({ do: "wait", forMs: Math.min(leftMs, otherwiseInMs) });
}

const silenceLeftMs = ({ timers }: Situation, { ttlMs }: Hold) =>
  ttlMs + EXPIRY_ALLOWANCE_MS - timers.silentForMs;

/** Silent for too long, said so in the status, and not proved to have ended. */
function judgeExpired(situation: Situation, hold: Hold, evidence: PodEvidence): Verdict {
  const { timers, wishes } = situation;
  const isFencing =
    canFence(hold, evidence) &&
    lastSeen(evidence) !== undefined &&
    !hold.releasing &&
    !isTerminating(evidence);
  if (!isFencing && !wishes.continueOnLoss && isDeletable(evidence)) return step(deletePod(hold));
  const endsByItself = isFencing || wishes.continueOnLoss;
  const graceSeconds = Math.max(hold.ref.graceSeconds ?? 0, lastSeen(evidence)?.deletionGraceSeconds ?? 0);
  const mayTakeMs = graceSeconds * 1_000 + TERMINATION_ALLOWANCE_MS;
  // Its kubelet may have learned of the deletion as late as its keeper of the expiry.
  const leftMs =
    mayTakeMs - (endsByItself ? timers.expiredForMs : Math.min(timers.endingForMs, timers.expiredForMs));
  if (policyFor(situation, hold, evidence) === "AfterExpiry") {
    const mayRunForMs = wishes.continueOnLoss
      ? 0
      : isFencing
        ? lateFenceMs(evidence, hold.token) - timers.expiredForMs
        : leftMs;
    return mayRunForMs <= 0 ? over("Expired") : step({ do: "wait", forMs: mayRunForMs });
  }
  if (hold.unreachable) return step({ do: "wait" });
  if (leftMs > 0) return step({ do: "wait", forMs: leftMs });
  return step(change(situation, { unreachable: true }, "HolderUnreachable"));
}

function policyFor({ lease, wishes }: Situation, hold: Hold, evidence: PodEvidence): HandoverPolicy {
  const isBounded = wishes.continueOnLoss || canFence(hold, evidence);
  return lease.spec.handoverPolicy ?? (isBounded ? "AfterExpiry" : "AfterTermination");
}

/**
 * Whether its keeper can stop it in time: not if it was seen down, since on a node that is cut off main may then run for ever. Once
 * that was said in the status it stays so, also when the pod that showed it is gone.
 */
function canFence(hold: Hold, evidence: PodEvidence): boolean {
  return (
    hold.ref.selfFencing === true &&
    !hold.unreachable &&
    (lastSeen(evidence) === undefined || wasGuarded(evidence))
  );
}

/** How long after the expiry a fence may still be going on: a keeper that was there all the time has fenced before it. */
function lateFenceMs(evidence: PodEvidence, token: number): number {
  const pod = lastSeen(evidence);
  return !pod || hasKeptSinceGate(pod, token) ? 0 : pod.stopMs + TERMINATION_ALLOWANCE_MS;
}

const isTerminating = (evidence: PodEvidence) => lastSeen(evidence)?.deletionMs !== undefined;
const isDeletable = (evidence: PodEvidence) => evidence.is === "present" && !isTerminating(evidence);

/** Asked again soon: the call may fail, and its effect comes by the watch. */
const LOOK_AGAIN_MS = 1_000;

const deletePod = ({ ref }: Hold): Decision => ({ do: "deletePod", ref, forMs: LOOK_AGAIN_MS });

function change({ lease }: Situation, of: Partial<Hold>, why: Why): Decision {
  return { do: "write", status: changeHold(lease.status, of), why };
}

function endOnly({ lease, nowMs }: Situation, reason: EndReason, passOver?: LeaseRequest): Decision {
  const status = endHold(lease, reason, nowMs);
  return passOver
    ? { do: "write", status: withoutLastRequest(status), why: reason, passOver }
    : { do: "write", status, why: reason };
}

/** Holds of a deleted Lease end as others do, but wake nobody by this one. */
function waitForUnrecorded({ requests, evidenceOf }: Situation): Decision {
  const unseen = requests.find(
    ({ status, spec: { ref } }) => status.phase === "Granted" && ref && evidenceOf(ref).is === "unknown",
  );
  return unseen?.spec.ref
    ? { do: "look", at: unseen.spec.ref }
    : { do: "wait", forMs: UNRECORDED_LOOK_EVERY_MS };
}

/** A request whose grant was taken back may be granted again. */
function withoutLastRequest(status: LeaseStatus): LeaseStatus {
  const { lastRequest: _, ...rest } = status;
  return rest;
}

/** Whether it had its hold already and only its status does not say so yet. */
function isSpent({ uid, spec }: LeaseRequest, { status }: Lease): boolean {
  const { hold, lastRequest } = status;
  if (uid === lastRequest || hold === undefined) return uid === lastRequest;
  // One that was put back for a holder bears the time of its grant; a later one is a new wish.
  return (spec.ref?.uid ?? uid) === hold.ref.uid && spec.requestedAtMs === hold.acquiredMs;
}

/** Grants to the first in the queue that can use it; `free` is the Lease's status with nobody holding. */
function serveNext(situation: Situation, free: LeaseStatus, passOver?: LeaseRequest): Decision {
  const { lease, requests, nowMs } = situation;
  const spent = requests.find(
    (request) => isWaiting(request) && isSpent(request, lease) && request !== passOver,
  );
  if (spent) return { do: "retire", request: spent };
  if (lease.terminating) return { do: "wait" };
  if (free.lastToken === undefined && situation.unrecordedHolders > 0) return waitForUnrecorded(situation);
  for (const request of waitingInOrder(lease, requests)) {
    if (request.status.reason === NOT_CONFIRMED || request.uid === passOver?.uid) continue;
    if (waitsUntilMs(request) < nowMs) continue;
    const { ref } = request.spec;
    const evidence = ref && situation.evidenceOf(ref);
    if (ref && evidence?.is === "unknown") return { do: "look", at: ref };
    if (evidence && !isEligible(evidence)) continue;
    const pod = evidence && lastSeen(evidence);
    const grant = {
      request,
      ref: holderRefOf(request, pod),
      token: nextToken(lease, requests, nowMs),
      ttlMs: holdTtlMs(lease, request.spec.ttlMs, pod),
    };
    return { do: "write", status: grantHold(free, grant, nowMs), why: "Granted", granted: request };
  }
  return { do: "wait" };
}
