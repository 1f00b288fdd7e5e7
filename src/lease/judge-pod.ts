/** Whether the hold of a pod goes on, and what has to be done meanwhile. */
import {
  CONFIRM_WITHIN_MS,
  change,
  type Decision,
  EXPIRY_ALLOWANCE_MS,
  LOOK_AGAIN_MS,
  over,
  type Situation,
  step,
  TERMINATION_ALLOWANCE_MS,
  type Verdict,
} from "./decision.ts";
import { type Evidence, isPast, isProven, lastSeen, wasGuarded } from "./evidence.ts";
import { forcedRelease } from "./hold.ts";
import { isTerminal, isUnscheduled, type PodView } from "./pod.ts";
import { hasKeptSinceGate, hasStarted } from "./proof.ts";
import type { HandoverPolicy, Hold } from "./types.ts";

export function judgePod(situation: Situation, hold: Hold): Verdict {
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

/**
 * An admin took the Lease away: renewals are refused from then on. A pod that is seen running where its kubelet can end it is
 * deleted, and its end awaited; otherwise the admin's word is taken.
 */
function judgeForced(situation: Situation, hold: Hold, evidence: Evidence): Verdict | undefined {
  const forced = forcedRelease(situation.lease, hold);
  if (!forced) return undefined;
  if (forced.now || !isSeenRunning(situation, evidence)) return over("Forced");
  if (hold.revoked === undefined) return step(change(situation, { revoked: "Forced" }, "Revoked"));
  return isDeletable(evidence) ? step(deletePod(hold)) : undefined;
}

/** Whether the pod is seen running where its kubelet can end it. */
export function isSeenRunning({ isNodeReady }: Situation, evidence: Evidence): boolean {
  const node = evidence.is === "present" && !isTerminal(evidence.pod) ? evidence.pod.node : undefined;
  return node !== undefined && isNodeReady(node);
}

/** Before its grant is confirmed no main can have started, so nothing needs proof. */
export function judgeUnconfirmed(
  { lease, requests, timers }: Situation,
  hold: Hold,
  isPastUse: boolean,
): Verdict {
  if (forcedRelease(lease, hold)) return over("Forced");
  if (isPastUse) return over("NotConfirmed");
  const leftMs = CONFIRM_WITHIN_MS - timers.silentForMs;
  if (leftMs > 0) return step({ do: "wait", forMs: leftMs });
  return over(
    "NotConfirmed",
    requests.find(({ spec: { ref } }) => ref?.uid === hold.ref.uid),
  );
}

type Present = Extract<Evidence, { is: "present" }>;

/** Whether the pod is only scheduled once it holds, so that its gate confirms when it has found a node and its images. */
function isScheduledLate(evidence: Evidence): evidence is Present {
  return evidence.is === "present" && !isPast(evidence) && isUnscheduled(evidence.pod);
}

/** Nothing of it runs yet, and may not for long: within start-timeout the hold is kept for it. */
function judgeUnscheduled(situation: Situation, hold: Hold, pod: PodView): Verdict {
  const { lease, requests, timers, wishes } = situation;
  if (forcedRelease(lease, hold)) return over("Forced");
  const leftMs = wishes.startTimeoutMs - timers.heldForMs;
  if (leftMs <= 0) {
    return over(
      "NotConfirmed",
      requests.find(({ spec: { ref } }) => ref?.uid === hold.ref.uid),
    );
  }
  if (pod.gated) return step({ do: "ungate", ref: hold.ref, forMs: LOOK_AGAIN_MS });
  return renewUnanswered(situation, hold, leftMs);
}

/** No keeper of its runs yet that could renew, so the arbiter does. */
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

/** Silent for too long, said so in the status, and not proved to have ended. */
export function judgeExpired(situation: Situation, hold: Hold, evidence: Evidence): Verdict {
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

function policyFor({ lease, wishes }: Situation, hold: Hold, evidence: Evidence): HandoverPolicy {
  const isBounded = wishes.continueOnLoss || canFence(hold, evidence);
  return lease.spec.handoverPolicy ?? (isBounded ? "AfterExpiry" : "AfterTermination");
}

/**
 * Whether its keeper can stop it in time: not if it was seen down, since on a node that is cut off main may then run for ever. Once
 * that was said in the status it stays so, also when the pod that showed it is gone.
 */
function canFence(hold: Hold, evidence: Evidence): boolean {
  return (
    hold.ref.selfFencing === true &&
    !hold.unreachable &&
    (lastSeen(evidence) === undefined || wasGuarded(evidence))
  );
}

/** How long after the expiry a fence may still be going on: a keeper that was there all the time has fenced before it. */
function lateFenceMs(evidence: Evidence, token: number): number {
  const pod = lastSeen(evidence);
  return !pod || hasKeptSinceGate(pod, token) ? 0 : pod.stopMs + TERMINATION_ALLOWANCE_MS;
}

const isTerminating = (evidence: Evidence) => lastSeen(evidence)?.deletionMs !== undefined;
export const isDeletable = (evidence: Evidence) => evidence.is === "present" && !isTerminating(evidence);

const deletePod = ({ ref }: Hold): Decision => ({ do: "deletePod", ref, forMs: LOOK_AGAIN_MS });
