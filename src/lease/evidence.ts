import { canUseGrant, isGuarded, type PodView, provesMainEnded } from "./pod.ts";

/**
 * What is known of a claimant's pod.
 * - `present`: the last version seen by LIST or WATCH.
 * - `gone`: a live GET found no pod of this uid; `last` is the last version ever seen, if any, and `isFinal` says whether it was the
 *   one that the server deleted (a relist only shows that something is missing).
 * - `unknown`: neither seen nor asked for.
 */
export type PodEvidence =
  | { is: "present"; pod: PodView }
  | { is: "gone"; last?: PodView; isFinal: boolean; nodeOutOfService: boolean }
  | { is: "unknown" };

/** Whether main, as it ran under hold `token`, has provably ended. */
export function isProven(evidence: PodEvidence, token: number): boolean {
  switch (evidence.is) {
    case "present":
      return provesMainEnded(evidence.pod, token, false);
    case "gone":
      // The out-of-service taint is the admin's word that the node is off (KEP-2268); it counts once the object is gone too.
      return (
        evidence.nodeOutOfService ||
        (evidence.last !== undefined && provesMainEnded(evidence.last, token, evidence.isFinal))
      );
    case "unknown":
      return false;
  }
}

/** Whether a grant could be of use: unknown is no, since the next look will tell. */
export function isEligible(evidence: PodEvidence): boolean {
  return evidence.is === "present" && canUseGrant(evidence.pod);
}

/** Whether it is certain that no grant can be of use any more. */
export function isPast(evidence: PodEvidence): boolean {
  return evidence.is === "gone" || (evidence.is === "present" && !canUseGrant(evidence.pod));
}

/** The last version seen, if any. */
export function lastSeen(evidence: PodEvidence): PodView | undefined {
  return evidence.is === "present" ? evidence.pod : evidence.is === "gone" ? evidence.last : undefined;
}

/** Whether a keeper that could stop main was there when the pod was last seen. */
export function wasGuarded(evidence: PodEvidence): boolean {
  const pod = lastSeen(evidence);
  return pod !== undefined && isGuarded(pod);
}
