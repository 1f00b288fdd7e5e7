/**
 * Whether the hold of a Job, which all of its pods share (`gate: job`), goes on, and what has to be done meanwhile.
 *
 * It rests on this: no pod of the Job gets past its gate without being put on the hold's list, by a write guarded like the one that ends
 * the hold. So whoever ends the hold has seen every pod that may be running under it, however far watches lag. A pod leaves the list when
 * its main has provably ended, or when time stands for proof.
 *
 * Each pod on the list is judged like a pod that holds alone. When the hold is lost, the Job is suspended before the pods on the list are
 * waited for. Safety does not depend on that: further pods could not get past their gates.
 */
import {
  askedAgainWithin,
  change,
  type Decision,
  isFresh,
  isLimit,
  isUrgent,
  LOOK_AGAIN_MS,
  lookAt,
  meanwhile,
  over,
  overWith,
  type Seen,
  type Situation,
  type Step,
  step,
  type Verdict,
} from "./decision.ts";
import { type Evidence, isProven, isSuccess, sinceGateRun, wasStarted } from "./evidence.ts";
import { forcedRelease } from "./hold.ts";
import { mayJoin } from "./hold-renewal.ts";
import { isJobOver, isSuspendedByUser } from "./job.ts";
import {
  givesWayInMs,
  isDeletable,
  isSeenRunning,
  judgeExpired,
  judgeSilence,
  known,
  renewUnanswered,
  stopsWithinMs,
  takeBack,
} from "./judge-pod.ts";
import type { EndReason, Hold, HolderPod } from "./types.ts";

interface Member extends Seen {
  pod: HolderPod;
}

/** How long others wait for a Job that has lost its hold to be suspended first. */
const SUSPEND_FIRST_MS = 2_000;
/** For this long after the expiry only the Job controller deletes the pods: deleted by a suspension, they do not count as failed. */
const LEFT_TO_JOB_MS = 5_000;

export function judgeJob(situation: Situation, hold: Hold): Verdict {
  const seen: Seen = { pod: hold.ref, evidence: situation.evidenceOf(hold.ref) };
  const members = membersOf(situation, hold);
  const unseen = [seen, ...members].filter(({ evidence }) => evidence.is === "unknown");
  // A pod whose keeper has said that it is being stopped may be gone although the cache still shows it.
  const stopping = members.filter(({ pod }) => situation.stoppingForMs(pod) !== undefined);
  const look = lookAt(situation, unseen) ?? lookAt(situation, stopping);
  if (look) return look;

  const stopsInMs = ({ pod, evidence }: Member) => stopsWithinMs(situation, alone(hold, pod), evidence);
  const left = members.filter((member) => !isProven(member.evidence, hold.token) && stopsInMs(member) > 0);
  const verdict = judgeMembers(situation, hold, { known: seen.evidence, members, left });
  return askedAgainWithin(verdict, Math.min(...left.map(stopsInMs)));
}

interface Members {
  /** What is known of the Job. */
  known: Evidence;
  /** Every pod on the list. */
  members: readonly Member[];
  /** Those that may be running. */
  left: readonly Member[];
}

function judgeMembers(situation: Situation, hold: Hold, { known, members, left }: Members): Verdict {
  const job = known.is === "job" && !isJobOver(known.job) ? known.job : undefined;
  const forced = forcedRelease(situation.lease, hold);
  if (forced?.now) return over("Forced");
  // Once the hold has expired or was revoked, konductor stops the pods, and a main that ends with 0 then has not done its work.
  const hasSucceeded = !hold.expired && !hold.revoked && isSuccess(known, hold.token);
  // A Job that cannot be looked at may still make pods.
  if (!job && left.length === 0 && known.is !== "unknown") {
    const isProved = members.every(({ evidence }) => isProven(evidence, hold.token));
    return overWith(isProved ? "Terminated" : "Released", hasSucceeded);
  }
  // What shows it may be gone by the end of the hold: a Job may be deleted as soon as it is Complete.
  if (hold.once !== undefined && !hold.succeeded && hasSucceeded)
    return step(change(situation, { succeeded: true }, "Succeeded"));
  if (forced && !hold.revoked) return step(change(situation, { revoked: "Forced" }, "Revoked"));
  const stopped = (reason: EndReason, isUnowned: boolean) =>
    judgeStopped(situation, hold, { left, reason, isUnowned });
  if (hold.revoked || hold.expired) {
    // Only a pod's hold is revoked for a crash loop, never a Job's.
    const reason = hold.revoked === "CrashLooping" ? "NotStarted" : (hold.revoked ?? "Expired");
    const verdict = stopped(reason, job === undefined && known.is !== "unknown");
    if (!job || job.suspended || left.length === 0) return verdict;
    const suspend: Step = { do: "suspend", ref: hold.ref, forMs: LOOK_AGAIN_MS };
    const isFirst = hold.expired && situation.timers.expiredForMs < SUSPEND_FIRST_MS;
    return verdict.is === "over" && isFirst ? step(suspend) : meanwhile(verdict, suspend);
  }
  if (job && isSuspendedByUser(job)) return stopped("Suspended", false);
  // Its pods could not get past their gates without being put on the list.
  const leftMs =
    job?.suspended && members.length === 0
      ? givesWayInMs(situation, hold, "resume")
      : Number.POSITIVE_INFINITY;
  if (leftMs <= 0) return takeBack(situation, hold, known, -leftMs);
  const verdict = judgeGoing(situation, hold, { known, members, left });
  return job?.suspended ? meanwhile(verdict, { do: "resume", ref: hold.ref, forMs: LOOK_AGAIN_MS }) : verdict;
}

/** Judges a hold whose Job may make pods. */
function judgeGoing(situation: Situation, hold: Hold, { known, members, left }: Members): Verdict {
  const isAtWork = left.some(({ evidence }) => wasStarted(evidence, hold.token));
  const startsInMs = isAtWork
    ? Number.POSITIVE_INFINITY
    : situation.wishes.startTimeoutMs - situation.timers.idleForMs;
  if (startsInMs <= 0) {
    if (left.every((member) => isFresh(situation, member, -startsInMs)))
      return step(change(situation, { revoked: "NotStarted" }, "Revoked"));
    const look = lookAt(situation, left, -startsInMs);
    if (look) return look;
  }
  const silence = judgeSilence(situation, hold, startsInMs > 0 ? startsInMs : Number.POSITIVE_INFINITY);
  if (left.length < members.length && !isLimit(silence)) return step(withPods(situation, left));
  if (left.length > 0) return silence;
  if (mayJoin(situation.lease, hold, { renew: true, ...situation.wishes }, situation.nowMs))
    return renewUnanswered(situation, hold, startsInMs);
  // A hold that no pod may join any more must not keep others waiting. But its user may have lifted the limit since.
  const look = lookAt(situation, [{ pod: hold.ref, evidence: known }]);
  return look ?? step(change(situation, { expired: true }, "Expiring"));
}

/**
 * The pods of the Job that may run under its hold, and what is known of them. A fenced pod goes on under the same token, so only its gate's
 * run tells a late status of its earlier run apart.
 */
export function membersOf({ evidenceOf }: Pick<Situation, "evidenceOf">, { pods = [] }: Hold): Member[] {
  return pods.map((pod) => ({ pod, evidence: sinceGateRun(evidenceOf(pod), pod.gateRun) }));
}

/** Judges a hold whose Job makes no more pods: it is over once none of them can be running. */
function judgeStopped(
  situation: Situation,
  hold: Hold,
  { left, reason, isUnowned }: { left: readonly Member[]; reason: EndReason; isUnowned: boolean },
): Verdict {
  if (left.length === 0) return over(reason);
  const isForced = forcedRelease(situation.lease, hold) !== undefined;
  if (isForced && !left.some(({ evidence }) => isSeenRunning(situation, evidence))) {
    if (left.every((member) => isFresh(situation, member))) return over("Forced");
    const look = lookAt(situation, left);
    if (look) return look;
  }
  if (hold.expired)
    return (
      lookAt(situation, left, situation.timers.expiredForMs) ??
      judgeExpiredPods(situation, hold, { left, isUnowned })
    );
  const silence = judgeSilence(situation, hold, Number.POSITIVE_INFINITY);
  // The controller of a suspended Job deletes its pods. Pods of a Job that is over or gone may have nobody to do so.
  const deletable = isUnowned && hold.revoked ? left.filter(({ evidence }) => isDeletable(evidence)) : [];
  return deletable.reduce((verdict, { pod }) => meanwhile(verdict, deletePod(pod)), silence);
}

const deletePod = (ref: HolderPod): Step => ({ do: "deletePod", ref, forMs: LOOK_AGAIN_MS });

/** The hold is over once every pod is, by the rules for an expired pod. No pod keeps another from being told to end. */
function judgeExpiredPods(
  situation: Situation,
  hold: Hold,
  { left, isUnowned }: { left: readonly Member[]; isUnowned: boolean },
): Verdict {
  const verdicts = left
    .map((member) => judgeExpired(situation, alone(hold, member.pod), known(situation, member)))
    .filter(({ is }) => is !== "over");
  if (verdicts.length === 0) return over("Expired");
  const steps = verdicts.flatMap((verdict) => (verdict.is === "step" ? [verdict.step] : []));
  const write = steps.find(isUrgent);
  if (write) return step(write);
  const forMs = Math.min(...steps.map((one) => ("forMs" in one && one.forMs) || Number.POSITIVE_INFINITY));
  const waiting: Verdict = step({ do: "wait", ...(Number.isFinite(forMs) && { forMs }) });
  const isLeft = !isUnowned && situation.timers.expiredForMs < LEFT_TO_JOB_MS;
  return steps
    .filter((one) => !(isLeft && one.do === "deletePod"))
    .reduce((all, one) => (one.do === "wait" || isUrgent(one) ? all : meanwhile(all, one)), waiting);
}

/** The hold as it would be, if this pod had it alone. */
function alone(hold: Hold, pod: HolderPod): Hold {
  return { ...hold, ref: pod, releasing: pod.releasing };
}

function withPods(situation: Situation, left: readonly Member[]): Decision {
  return change(situation, { pods: left.map(({ pod }) => pod) }, "PodEnded");
}
