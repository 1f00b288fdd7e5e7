import { formatDuration } from "../../../lease/duration.ts";
import { DONE_WITHOUT_JOB, describeDoneWithoutJob } from "../../../lease/once.ts";
import { describeQueueFull, QUEUE_FULL } from "../../../lease/policies/max-waiting.ts";
import type { Lease, LeaseRequest } from "../../../lease/types.ts";
import { standingOf } from "../../../objects/claimant-events.ts";
import { ANNOTATION } from "../../../shared/names.ts";

/** The line that tells a gate why its pod is refused; what is in the way now says `lease`. */
export function deniedLine(request: LeaseRequest, lease: Lease | undefined, nowMs: number): object {
  const { reason = "Denied" } = request.status;
  return { state: "denied", reason, message: `${whyOf(request, lease)}; ${standingOf(lease, nowMs)}` };
}

/** For `if-held: fail` where konductor may not create the klease: only waiting would help. */
export const MISSING = {
  state: "denied",
  reason: "NotFound",
  message: `it does not exist, and ${ANNOTATION.ifHeld} "fail" does not wait until somebody creates it`,
} as const;

/** For an orphaned pod that runs again from its gate. */
export const WITHOUT_JOB = {
  state: "denied",
  reason: "NotFound",
  message: "the pod has no Job any more, whose hold it could share",
} as const;

function whyOf({ spec, status }: LeaseRequest, lease: Lease | undefined): string {
  switch (status.reason) {
    case "Held":
      return `it was not free, and ${ANNOTATION.ifHeld} "fail" does not wait`;
    case "TimedOut": {
      const waitedMs = (spec.waitUntilMs ?? spec.requestedAtMs) - spec.requestedAtMs;
      return `the pod has waited for ${formatDuration(waitedMs)}, its ${ANNOTATION.waitTimeout}`;
    }
    case QUEUE_FULL:
      return describeQueueFull(lease);
    case DONE_WITHOUT_JOB:
      return describeDoneWithoutJob({ spec }, lease);
    default:
      return "konductor refused the request";
  }
}
