/**
 * Whether the hold of a Job goes on, which all of its pods share (`gate: job`), and what has to be done meanwhile.
 *
 * It rests on this: no pod of the Job gets past its gate without being put on the hold's list, by a write that is guarded as the one
 * is that ends the hold. So whoever ends it has seen everybody who may be running under it, however late watches are. A pod leaves the list
 * when its main has provably ended.
 *
 * Of one pod on the list the rules are those of a pod that holds alone. Where the hold is lost, the Job is told to make no more pods before
 * those on the list are waited for; that is no matter of safety, since more could not get past their gates.
 */
import {
  change,
  type Decision,
  LOOK_AGAIN_MS,
  over,
  type Situation,
  step,
  type Verdict,
} from "./decision.ts";
import { type Evidence, isProven, sinceGateRun, wasStarted } from "./evidence.ts";
import { forcedRelease, mayJoin } from "./hold.ts";
import { isJobOver, isSuspendedByUser } from "./job.ts";
import { isDeletable, isSeenRunning, judgeExpired, judgeSilence, renewUnanswered } from "./judge-pod.ts";
import type { EndReason, Hold, HolderPod } from "./types.ts";

interface Member {
  pod: HolderPod;
  evidence: Evidence;
}

export function judgeJob(situation: Situation, hold: Hold): Verdict {
  const known = situation.evidenceOf(hold.ref);
  if (known.is === "unknown") return step({ do: "look", at: hold.ref });
  const members = membersOf(situation, hold);
  const unknown = members.find(({ evidence }) => evidence.is === "unknown");
  if (unknown) return step({ do: "look", at: unknown.pod });

  const left = members.filter(({ evidence }) => !isProven(evidence, hold.token));
  const job = known.is === "job" && !isJobOver(known.job) ? known.job : undefined;
  const forced = forcedRelease(situation.lease, hold);
  if (forced?.now) return over("Forced");
  if (!job && left.length === 0) return over("Terminated");
  if (forced && !hold.revoked) return step(change(situation, { revoked: "Forced" }, "Revoked"));
  if (hold.revoked || hold.expired) {
    if (job && !job.suspended && left.length > 0)
      return step({ do: "suspend", ref: hold.ref, forMs: LOOK_AGAIN_MS });
    return judgeStopped(situation, hold, left, hold.revoked ?? "Expired", job === undefined);
  }
  if (job && isSuspendedByUser(job)) return judgeStopped(situation, hold, left, "Suspended", false);
  if (job?.suspended) return step({ do: "resume", ref: hold.ref, forMs: LOOK_AGAIN_MS });
  const isAtWork = left.some(({ evidence }) => wasStarted(evidence, hold.token));
  const startsInMs = isAtWork
    ? Number.POSITIVE_INFINITY
    : situation.wishes.startTimeoutMs - situation.timers.idleForMs;
  if (startsInMs <= 0) return step(change(situation, { revoked: "NotStarted" }, "Revoked"));
  if (left.length < members.length) return step(withPods(situation, left));
  if (left.length > 0) return judgeSilence(situation, hold, startsInMs);
  // What nobody may join any more must not keep others waiting.
  return mayJoin(situation.lease, hold, { renew: true, ...situation.wishes }, situation.nowMs)
    ? renewUnanswered(situation, hold, startsInMs)
    : step(change(situation, { expired: true }, "Expiring"));
}

/**
 * The pods of the Job that may run under its hold, and what is known of them. A pod that was fenced goes on under the same token, so a
 * late status of its earlier run is told by the run of the gate.
 */
export function membersOf({ evidenceOf }: Pick<Situation, "evidenceOf">, { pods = [] }: Hold): Member[] {
  return pods.map((pod) => ({ pod, evidence: sinceGateRun(evidenceOf(pod), pod.gateRun) }));
}

/** Its Job makes no more pods: once nothing may run any more, the hold is over. */
function judgeStopped(
  situation: Situation,
  hold: Hold,
  left: readonly Member[],
  reason: EndReason,
  isUnowned: boolean,
): Verdict {
  if (left.length === 0) return over(reason);
  const isForced = forcedRelease(situation.lease, hold) !== undefined;
  if (isForced && !left.some(({ evidence }) => isSeenRunning(situation, evidence))) return over("Forced");
  if (hold.expired) return judgeExpiredPods(situation, hold, left);
  // The controller of a suspended Job deletes its pods. Those of a Job that is over or gone may be nobody's.
  const deletable = isUnowned && hold.revoked && left.find(({ evidence }) => isDeletable(evidence));
  if (deletable) return step({ do: "deletePod", ref: deletable.pod, forMs: LOOK_AGAIN_MS });
  return judgeSilence(situation, hold, Number.POSITIVE_INFINITY);
}

/** Each of them has to be over by the rules for a pod that expired. */
function judgeExpiredPods(situation: Situation, hold: Hold, left: readonly Member[]): Verdict {
  let forMs: number | undefined;
  let isWaiting = false;
  for (const { pod, evidence } of left) {
    const alone: Hold = { ...hold, ref: pod, releasing: pod.releasing };
    const verdict = judgeExpired(situation, alone, evidence);
    if (verdict.is === "over") continue;
    if (verdict.step.do !== "wait") return verdict;
    isWaiting = true;
    forMs = Math.min(forMs ?? Number.POSITIVE_INFINITY, verdict.step.forMs ?? Number.POSITIVE_INFINITY);
  }
  if (!isWaiting) return over("Expired");
  return step({ do: "wait", ...(forMs !== undefined && { forMs }) });
}

function withPods(situation: Situation, left: readonly Member[]): Decision {
  return change(situation, { pods: left.map(({ pod }) => pod) }, "PodEnded");
}
