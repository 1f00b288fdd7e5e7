import { canUseJob, isJobOver, type JobView } from "./job.ts";
import { canUseGrant, type PodView, sinceRun } from "./pod.ts";
import { awaitsOutcome, hasStarted, isGuarded, provesMainEnded, provesSuccess } from "./proof.ts";
import type { Hold, LeaseRequest } from "./types.ts";

/**
 * What is known of a claimant, which is a pod or a Job.
 * - `present`, `job`: the last version seen by LIST or WATCH.
 * - `gone`: a live GET found none of this uid; `last` is the last version ever seen, if any, and `isFinal` says whether it was the
 *   one that the server deleted (a relist only shows that something is missing). `hasSucceeded`: it was a Job, and by its last version
 *   it had succeeded.
 * - `unknown`: neither seen nor asked for.
 */
export type Evidence =
  | { is: "present"; pod: PodView }
  | { is: "job"; job: JobView }
  | { is: "gone"; last?: PodView; hasSucceeded?: true; isFinal: boolean; nodeOutOfService: boolean }
  | { is: "unknown" };

/** Whether main, as it ran under hold `token`, has provably ended. */
export function isProven(evidence: Evidence, token: number): boolean {
  switch (evidence.is) {
    case "present":
      return provesMainEnded(evidence.pod, token, false);
    case "gone":
      // The out-of-service taint is the admin's word that the node is off (KEP-2268); it counts once the object is gone too.
      return (
        evidence.nodeOutOfService ||
        (evidence.last !== undefined && provesMainEnded(evidence.last, token, evidence.isFinal))
      );
    // Proof is in a Job's pods.
    case "job":
    case "unknown":
      return false;
  }
}

/** Whether the claimant's work has provably succeeded under hold `token`. */
export function isSuccess(evidence: Evidence, token: number): boolean {
  if (evidence.is === "job") return evidence.job.hasSucceeded;
  if (evidence.is === "gone" && evidence.hasSucceeded) return true;
  const pod = lastSeen(evidence);
  return pod !== undefined && provesSuccess(pod, token);
}

/**
 * Whether main of a pod has ended, and it is still to be told whether its work, which is done once, has succeeded. What was taken from its
 * holder, or has expired, waits for no such word: the hold ends without success.
 */
export function isOutcomeAwaited(
  evidence: Evidence,
  { once, expired, revoked }: Pick<Hold, "once" | "expired" | "revoked">,
): boolean {
  return (
    once !== undefined && !expired && !revoked && evidence.is === "present" && awaitsOutcome(evidence.pod)
  );
}

/** Whether the claimant could use a grant: unknown is no, since the next look will tell. */
export function isEligible(evidence: Evidence): boolean {
  return (
    (evidence.is === "present" && canUseGrant(evidence.pod)) ||
    (evidence.is === "job" && canUseJob(evidence.job))
  );
}

/** Whether it is certain that the claimant cannot use a grant, if only for now. */
export function isPast(evidence: Evidence): boolean {
  return evidence.is !== "unknown" && !isEligible(evidence);
}

/**
 * Whether the claimant is a Job whose template, which can change while the Job is suspended, asks for another Lease or key than `request`. A
 * request without a key proves nothing: an older CRD drops it.
 */
export function isOutdated({ spec: { lease, once } }: LeaseRequest, evidence: Evidence): boolean {
  if (evidence.is !== "job") return false;
  const { job } = evidence;
  const isOtherKey = once !== undefined && job.settings.ok && job.settings.settings.once !== once;
  return job.lease !== lease || isOtherKey;
}

/** The evidence of the pod, without what its status says of another run of its gate. */
export function sinceGateRun(evidence: Evidence, gateRun: string | undefined): Evidence {
  if (evidence.is === "present") return { ...evidence, pod: sinceRun(evidence.pod, gateRun) };
  return evidence.is === "gone" && evidence.last
    ? { ...evidence, last: sinceRun(evidence.last, gateRun) }
    : evidence;
}

/** Whether this may be a Job that still makes pods. */
export function mayStartPods(evidence: Evidence): boolean {
  return (
    evidence.is === "unknown" ||
    (evidence.is === "job" && !evidence.job.suspended && !isJobOver(evidence.job))
  );
}

/** Whether the pod seems to have no node, so that nothing of it can have run. A live look has to confirm that. */
export function isUnbound(evidence: Evidence): boolean {
  return evidence.is === "present" && evidence.pod.node === undefined;
}

/** Whether it is a pod without a Job: of a Job that was deleted, its pods may stay (`--cascade=orphan`). */
export function isWithoutJob(evidence: Evidence): boolean {
  return evidence.is === "present" && evidence.pod.job === undefined;
}

/** Whether the pod waits behind our scheduling gate. */
export function isGated(evidence: Evidence): boolean {
  return evidence.is === "present" && evidence.pod.gated;
}

/** The last version of the pod that was seen, if any. */
export function lastSeen(evidence: Evidence): PodView | undefined {
  return evidence.is === "present" ? evidence.pod : evidence.is === "gone" ? evidence.last : undefined;
}

/** Whether its main was seen to have started, as far as start-timeout asks. */
export function wasStarted(evidence: Evidence, token: number): boolean {
  const pod = lastSeen(evidence);
  return pod !== undefined && hasStarted(pod, token);
}

/** Whether the pod was last seen before its keeper had begun. */
export function isKeeperUnseen(evidence: Evidence): boolean {
  const keeper = lastSeen(evidence)?.keeper;
  return keeper?.state === "waiting" && keeper.startedMs === undefined;
}

/** Whether a keeper that could stop main was there when the pod was last seen. */
export function wasGuarded(evidence: Evidence): boolean {
  const pod = lastSeen(evidence);
  return pod !== undefined && isGuarded(pod);
}
