/** Whether the hold of a pod goes on, and what has to be done meanwhile. */
import {
  askedAgainWithin,
  CONFIRM_WITHIN_MS,
  change,
  DATE_ALLOWANCE_MS,
  EXPIRY_ALLOWANCE_MS,
  isFresh,
  LOOK_AGAIN_MS,
  lookAt,
  meanwhile,
  over,
  overWith,
  type Seen,
  type Situation,
  type StartStep,
  type Step,
  step,
  TERMINATION_ALLOWANCE_MS,
  type Verdict,
} from "./decision.ts";
import {
  type Evidence,
  isEligible,
  isKeeperUnseen,
  isOutcomeAwaited,
  isPast,
  isProven,
  isSuccess,
  lastSeen,
  wasGuarded,
} from "./evidence.ts";
import { forcedRelease } from "./hold.ts";
import { isDone } from "./once.ts";
import { isGrantable, isOneTry, wasGranted } from "./order.ts";
import { isTerminal, isUnscheduled } from "./pod.ts";
import { crashLoops, hasKeptSinceGate, hasStarted } from "./proof.ts";
import type { HandoverPolicy, Hold, HolderRef, LeaseRequest } from "./types.ts";

export function judgePod(situation: Situation, hold: Hold): Verdict {
  const seen = { pod: hold.ref, evidence: situation.evidenceOf(hold.ref) };
  const { evidence } = seen;
  if (evidence.is === "unknown" && !situation.isStuck("look", hold.ref.uid))
    return step({ do: "look", at: hold.ref });
  if (isProven(evidence, hold.token) && !isOutcomeAwaited(evidence, hold))
    return overWith("Terminated", isSuccess(evidence, hold.token));
  if (!hold.confirmed) {
    return isScheduledLate(evidence)
      ? judgeUnscheduled(situation, hold, evidence)
      : judgeUnconfirmed(situation, hold, isPast(evidence));
  }
  const forced = judgeForced(situation, hold, seen);
  if (forced) return forced;
  const stopsInMs = stopsWithinMs(situation, hold, evidence);
  if (stopsInMs <= 0) return over("Released");
  return askedAgainWithin(judgeHolding(situation, hold, seen), stopsInMs);
}

function judgeHolding(situation: Situation, hold: Hold, seen: Seen): Verdict {
  const { timers, wishes } = situation;
  const { evidence } = seen;
  const look = (withinMs?: number) => lookAt(situation, [seen], withinMs);
  // Its keeper has said that it is being stopped, so the pod may be gone although the cache still shows it.
  if (situation.stoppingForMs(hold.ref) !== undefined) {
    const isGone = look();
    if (isGone) return isGone;
  }
  // What follows an expiry depends on whether the keeper runs. A stuck watch must not vouch for that.
  if (hold.expired) return look(timers.expiredForMs) ?? judgeExpired(situation, hold, known(situation, seen));
  const startsInMs =
    evidence.is === "present" && !hold.revoked && !hasStarted(evidence.pod, hold.token)
      ? wishes.startTimeoutMs - timers.heldForMs
      : Number.POSITIVE_INFINITY;
  const isUnwanted =
    hold.revoked !== undefined &&
    (!hold.ref.selfFencing || hold.revoked === "Forced") &&
    isDeletable(evidence);
  if (startsInMs > 0) {
    const handover = judgeCrashLoop(situation, hold, seen);
    if (handover) return handover;
    const verdict = judgeSilence(situation, hold, startsInMs);
    return isUnwanted ? meanwhile(verdict, deletePod(hold)) : verdict;
  }
  if (isFresh(situation, seen, -startsInMs))
    return step(change(situation, { revoked: "NotStarted" }, "Revoked"));
  return look(-startsInMs) ?? judgeSilence(situation, hold, Number.POSITIVE_INFINITY);
}

/** A crash-looping holder loses its hold if its user set max-restarts and others wait. */
function judgeCrashLoop(situation: Situation, hold: Hold, seen: Seen): Verdict | undefined {
  const { wishes } = situation;
  const { evidence } = seen;
  if (wishes.maxRestarts === undefined || hold.revoked || !isDeletable(evidence)) return undefined;
  if (!crashLoops(evidence.pod, hold.token, wishes.maxRestarts)) return undefined;
  if (!situation.requests.some((request) => mayTakeOver(situation, hold, request))) return undefined;
  // It may have recovered since the cache heard of it.
  if (!isFresh(situation, seen)) return lookAt(situation, [seen]);
  return step(change(situation, { revoked: "CrashLooping" }, "Revoked"));
}

/** Whether somebody else waits by `request`, for more than one try, and could use a grant now. */
function mayTakeOver({ lease, nowMs, evidenceOf }: Situation, hold: Hold, request: LeaseRequest): boolean {
  const { uid, spec } = request;
  if (!isGrantable(request, nowMs) || isOneTry(request) || isDone(lease.status, request)) return false;
  if (wasGranted(request, lease) || (spec.ref?.uid ?? uid) === hold.ref.uid) return false;
  return !spec.ref || isEligible(evidenceOf(spec.ref));
}

/** The evidence of a pod whose hold has expired; unknown unless the API server was asked since. */
export function known(situation: Situation, seen: Seen): Evidence {
  return isFresh(situation, seen, situation.timers.expiredForMs) ? seen.evidence : { is: "unknown" };
}

/**
 * An admin took the Lease away: renewals are refused from then on. A pod that is seen running on a Ready node is deleted, and its
 * end awaited. Otherwise the admin's word is taken.
 */
function judgeForced(situation: Situation, hold: Hold, seen: Seen): Verdict | undefined {
  const forced = forcedRelease(situation.lease, hold);
  if (!forced) return undefined;
  if (forced.now) return over("Forced");
  if (!isSeenRunning(situation, seen.evidence)) {
    if (isFresh(situation, seen)) return over("Forced");
    const look = lookAt(situation, [seen]);
    if (look) return look;
  }
  return hold.revoked === undefined ? step(change(situation, { revoked: "Forced" }, "Revoked")) : undefined;
}

/** Whether the pod is seen running, on a Ready node. */
export function isSeenRunning({ isNodeReady }: Situation, evidence: Evidence): boolean {
  const node = evidence.is === "present" && !isTerminal(evidence.pod) ? evidence.pod.node : undefined;
  return node !== undefined && isNodeReady(node);
}

/** Before its grant is confirmed no main can have started, so nothing needs proof. */
export function judgeUnconfirmed(situation: Situation, hold: Hold, isPastUse: boolean): Verdict {
  const { lease, timers } = situation;
  if (forcedRelease(lease, hold)) return over("Forced");
  if (isPastUse) return over("NotConfirmed");
  const leftMs = CONFIRM_WITHIN_MS - timers.answerableForMs;
  if (leftMs <= 0) return over("NotConfirmed", requestOfHolder(situation, hold));
  return step({ do: "wait", forMs: leftMs });
}

/** The request by which a pod or a Job holds. */
function requestOfHolder({ requests }: Situation, hold: Hold): LeaseRequest | undefined {
  return requests.find(({ spec: { ref } }) => ref?.uid === hold.ref.uid);
}

type Present = Extract<Evidence, { is: "present" }>;

/** Whether the pod is scheduled only once it holds, and its gate has not started: it confirms once node and images are there. */
export function isScheduledLate(evidence: Evidence): evidence is Present {
  return evidence.is === "present" && !isPast(evidence) && isUnscheduled(evidence.pod);
}

/** How long others wait for a holder that cannot be let start. */
const LET_START_WITHIN_MS = 5_000;

/** Time until others are served before a holder that `start` would let start; infinite: nobody waits, or the step does not fail. */
export function givesWayInMs(situation: Situation, hold: Hold, start: StartStep): number {
  const isHeldUp =
    situation.isStuck(start, hold.ref.uid) &&
    situation.requests.some((request) => mayTakeOver(situation, hold, request));
  return isHeldUp ? LET_START_WITHIN_MS - situation.timers.heldForMs : Number.POSITIVE_INFINITY;
}

/**
 * Takes back a grant that is not confirmed, since nothing of its claimant can run. A look that began within `withinMs` has to show this: what
 * would have let it start may have taken effect unseen.
 */
export function takeBack(situation: Situation, hold: Hold, evidence: Evidence, withinMs: number): Verdict {
  const look = lookAt(situation, [{ pod: hold.ref, evidence }], withinMs);
  return look ?? over("NotConfirmed", requestOfHolder(situation, hold));
}

/** Nothing of the pod runs yet, maybe not for a long time. The hold is kept for it until start-timeout, unless its gate cannot be removed. */
function judgeUnscheduled(situation: Situation, hold: Hold, evidence: Present): Verdict {
  const { lease, timers, wishes } = situation;
  const { pod } = evidence;
  if (forcedRelease(lease, hold)) return over("Forced");
  const startsInMs = wishes.startTimeoutMs - timers.heldForMs;
  const leftMs = pod.gated ? Math.min(startsInMs, givesWayInMs(situation, hold, "ungate")) : startsInMs;
  if (leftMs <= 0) return takeBack(situation, hold, evidence, -leftMs);
  const verdict = renewUnanswered(situation, hold, leftMs);
  return pod.gated ? meanwhile(verdict, { do: "ungate", ref: hold.ref, forMs: LOOK_AGAIN_MS }) : verdict;
}

/** No keeper runs yet that could renew, so the arbiter renews. */
export function renewUnanswered(situation: Situation, hold: Hold, otherwiseInMs: number): Verdict {
  const { timers, nowMs } = situation;
  const renewInMs = hold.ttlMs / 3 - timers.silentForMs;
  if (renewInMs <= 0) return step(change(situation, { expiresMs: nowMs + hold.ttlMs }, "Renewed"));
  return step({ do: "wait", forMs: Math.min(otherwiseInMs, renewInMs) });
}

export function judgeSilence(situation: Situation, hold: Hold, otherwiseInMs: number): Verdict {
  const leftMs = silenceLeftMs(situation, hold);
  if (leftMs <= 0) return step(change(situation, { expired: true }, "Expiring"));
  return step({ do: "wait", forMs: Math.min(leftMs, otherwiseInMs) });
}

export const silenceLeftMs = ({ timers }: Situation, { ttlMs }: Hold) =>
  ttlMs + EXPIRY_ALLOWANCE_MS - timers.silentForMs;

/** Judges an expired hold whose main is not proved to have ended. */
export function judgeExpired(situation: Situation, hold: Hold, evidence: Evidence): Verdict {
  const { wishes } = situation;
  const isFencing =
    canFence(hold, evidence) &&
    lastSeen(evidence) !== undefined &&
    !hold.releasing &&
    !isTerminating(evidence);
  const endsByItself = isFencing || wishes.continueOnLoss;
  const isToldToEnd = endsByItself || !isDeletable(evidence);
  const verdict = judgeTime(situation, hold, { evidence, isFencing, isToldToEnd });
  return isToldToEnd ? verdict : meanwhile(verdict, deletePod(hold));
}

/** Whether the hold is over by now, or somebody has to act, however often the deletion was refused. */
function judgeTime(
  situation: Situation,
  hold: Hold,
  { evidence, isFencing, isToldToEnd }: { evidence: Evidence; isFencing: boolean; isToldToEnd: boolean },
): Verdict {
  const { timers, wishes } = situation;
  const endsByItself = isFencing || wishes.continueOnLoss;
  const mayTakeMs = graceMs(hold.ref, evidence) + TERMINATION_ALLOWANCE_MS;
  // The kubelet may have learned of the deletion only when the hold expired, so the shorter time counts.
  const leftMs =
    mayTakeMs - (endsByItself ? timers.expiredForMs : Math.min(timers.endingForMs, timers.expiredForMs));
  // A pod that was not told to end, or could not be seen, may run on. Time stands for proof then only if its user asked for that.
  const isBounded = isToldToEnd && evidence.is !== "unknown" && canFence(hold, evidence);
  if (policyFor(situation, isBounded) === "AfterExpiry") {
    const mayRunForMs = wishes.continueOnLoss
      ? 0
      : isFencing
        ? lateStopMs(hold, evidence) - timers.expiredForMs
        : leftMs;
    return mayRunForMs <= 0 ? over("Expired") : step({ do: "wait", forMs: mayRunForMs });
  }
  if (hold.unreachable) return step({ do: "wait" });
  if (leftMs > 0) return step({ do: "wait", forMs: leftMs });
  return step(change(situation, { unreachable: true }, "HolderUnreachable"));
}

/**
 * How much longer until every container of the pod has stopped, where time may stand for proof because nobody is left to write any: its
 * keeper has said that it was asked to stop, and the object is gone. Infinity: not by time alone.
 *
 * The kubelet calls the keeper's preStop hook when it begins to stop all containers, so the keeper never speaks before that. The kubelet then
 * sends SIGKILL at the end of the grace period that it knows: the longest that the API server ever told it, or, for a pod that vanished,
 * its spec's; at least 1 s. Hooks and the order of sidecars may add up to 3 s (kubelet 1.37, `killContainer`). A deletion with a grace period
 * other than the spec's is known from the pod version that showed it, and from the replica that heard the keeper. What has passed is
 * counted as {@link Situation.stoppingForMs} says.
 *
 * Limits: a kubelet that does not finish what it has begun; and a keeper that was stopped alone, as by a change of its image, in the very
 * second in which its pod is deleted by force and its kubelet cut off.
 */
export function stopsWithinMs(situation: Situation, hold: Hold, evidence: Evidence): number {
  const forMs = situation.stoppingForMs(hold.ref);
  if (forMs === undefined || evidence.is !== "gone") return Number.POSITIVE_INFINITY;
  // A keeper that has spoken did run, even if the last status of its pod was written before.
  const isBounded = canFence(hold, isKeeperUnseen(evidence) ? { is: "unknown" } : evidence);
  if (policyFor(situation, isBounded) !== "AfterExpiry") return Number.POSITIVE_INFINITY;
  return graceMs(hold.ref, evidence) + TERMINATION_ALLOWANCE_MS + DATE_ALLOWANCE_MS - forMs;
}

function graceMs({ graceSeconds = 0 }: HolderRef, evidence: Evidence): number {
  return Math.max(graceSeconds, lastSeen(evidence)?.deletionGraceSeconds ?? 0) * 1_000;
}

/** `isBounded`: whether it stops by itself in a known time. */
function policyFor({ lease, wishes }: Situation, isBounded: boolean): HandoverPolicy {
  return (
    lease.spec.handoverPolicy ?? (wishes.continueOnLoss || isBounded ? "AfterExpiry" : "AfterTermination")
  );
}

/**
 * Whether its keeper can stop the pod in time: not if the keeper was seen down, since on a node that is cut off main may then run for
 * ever. `unreachable` in the status keeps that answer once the pod that showed it is gone.
 */
function canFence(hold: Hold, evidence: Evidence): boolean {
  return (
    hold.ref.selfFencing === true &&
    !hold.unreachable &&
    (lastSeen(evidence) === undefined || wasGuarded(evidence))
  );
}

/**
 * How long after the expiry a pod that can fence may still be stopping. A keeper that was there all the time has fenced before it. But a
 * kubelet that has begun to end the pod by its own decision acts on no fence: it leaves main the grace period. Limit: nobody sees that a
 * kubelet that is cut off does so for want of resources, or since its node shuts down.
 */
function lateStopMs(hold: Hold, evidence: Evidence): number {
  const pod = lastSeen(evidence);
  if (!pod) return 0;
  const lateFenceMs = hasKeptSinceGate(pod, hold.token) ? 0 : pod.stopMs + TERMINATION_ALLOWANCE_MS;
  const endsByKubelet = pod.hasDeadline || pod.isEndedByKubelet;
  return Math.max(lateFenceMs, endsByKubelet ? graceMs(hold.ref, evidence) + TERMINATION_ALLOWANCE_MS : 0);
}

/** A pod that has gone was deleted, although its last version may not show that: its kubelet leaves main the grace period. */
const isTerminating = (evidence: Evidence) =>
  evidence.is === "gone" || lastSeen(evidence)?.deletionMs !== undefined;
export const isDeletable = (evidence: Evidence): evidence is Present =>
  evidence.is === "present" && !isTerminating(evidence);

const deletePod = ({ ref }: Hold): Step => ({ do: "deletePod", ref, forMs: LOOK_AGAIN_MS });
