/**
 * What has to follow from a Lease's status: the status is the only truth, and requests are brought in line with it whenever there is
 * nothing more urgent. Each follow-up may be lost or happen twice.
 */
import { isPast, isProven, type PodEvidence } from "../lease/evidence.ts";
import { requestName } from "../lease/naming.ts";
import { isWaiting, waitsUntilMs } from "../lease/order.ts";
import type { HolderRef, Lease, LeaseRequest } from "../lease/types.ts";

export type FollowUp =
  | { do: "markGranted"; request: LeaseRequest; token: number }
  /** It had its hold, its claimant can never use one, or no longer waits. */
  | { do: "delete"; request: LeaseRequest }
  /** A pod's hold does not end because its request went away. */
  | { do: "putBack"; name: string; ref: HolderRef; holder: string };

export interface FollowUpInput {
  lease: Lease;
  requests: readonly LeaseRequest[];
  evidenceOf(ref: HolderRef): PodEvidence;
  nowMs: number;
}

/** Under a Lease that was never granted, a granted request is the trace of a hold that its deleted predecessor recorded. */
function mayRun({ status }: Lease, request: LeaseRequest, evidenceOf: FollowUpInput["evidenceOf"]): boolean {
  const { ref } = request.spec;
  if (status.lastToken !== undefined || !ref) return false;
  return !isProven(evidenceOf(ref), request.status.token ?? Number.NaN);
}

/** Everything in which the requests of `lease` differ from what its status says. */
export function followUps({ lease, requests, evidenceOf, nowMs }: FollowUpInput): FollowUp[] {
  const { hold } = lease.status;
  const steps: FollowUp[] = [];
  let hasHolder = false;
  for (const request of requests) {
    if (request.terminating) continue;
    const { ref } = request.spec;
    const isHolder = hold !== undefined && (ref?.uid ?? request.uid) === hold.ref.uid;
    hasHolder ||= isHolder;
    const { phase, token } = request.status;
    if (isHolder) {
      const isPassedOver = isWaiting(request) && request.status.reason !== undefined && !hold.confirmed;
      if (!isPassedOver && (phase !== "Granted" || token !== hold.token)) {
        steps.push({ do: "markGranted", request, token: hold.token });
      }
    } else if (phase === "Granted" ? !mayRun(lease, request, evidenceOf) : ref && isPast(evidenceOf(ref))) {
      steps.push({ do: "delete", request });
    } else if (waitsUntilMs(request) < nowMs) {
      steps.push({ do: "delete", request });
    }
  }
  if (hold?.ref.kind === "Pod" && !hasHolder && !isPast(evidenceOf(hold.ref))) {
    steps.push({
      do: "putBack",
      name: requestName(lease.name, hold.ref),
      ref: hold.ref,
      holder: hold.holder,
    });
  }
  return steps;
}
