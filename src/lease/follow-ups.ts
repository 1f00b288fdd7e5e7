/**
 * What has to follow from a Lease's status: the status is the only truth, and requests are brought in line with it whenever there is
 * nothing more urgent. Each follow-up may be lost or happen twice.
 */
import { isDeepStrictEqual } from "node:util";
import type { Situation } from "./decision.ts";
import { isGated, isOutdated, isPast, isUnbound, isWithoutJob } from "./evidence.ts";
import { grantedStatus } from "./grant.ts";
import { requestName } from "./naming.ts";
import { ALREADY_DONE, DONE_WITHOUT_JOB, isAlreadyDone, isDone } from "./once.ts";
import {
  isOneTry,
  isWaiting,
  NOT_CONFIRMED,
  QUEUED_AGAIN,
  waitsUntilMs,
  wasGranted,
  wasTakenBack,
} from "./order.ts";
import { isFree } from "./policies/held-back.ts";
import { type Newcomers, newcomersOf, QUEUE_FULL } from "./policies/max-waiting.ts";
import type { ClaimantRef, HolderRef, Lease, LeaseRequest } from "./types.ts";
import { isUnrecordedHold, type UnrecordedInput } from "./unrecorded.ts";

export type FollowUp =
  | { do: "mark"; request: LeaseRequest; status: LeaseRequest["status"] }
  /**
   * A request that is to be tried once cannot be granted now, a pod's wait-timeout has passed, too many wait already, or the work of a client,
   * or of a pod without a Job, is done already.
   */
  | { do: "deny"; request: LeaseRequest; status: LeaseRequest["status"] }
  /**
   * The request had its hold, its claimant cannot use one or asks for something else by now, or it is a client's that no longer waits.
   */
  | { do: "delete"; request: LeaseRequest }
  /**
   * Have the request wait again: its pod or Job has no gate that could ask. Either the pod seems to have no node and a deleted Lease granted
   * the request, or the grant was taken back while the scheduling gate could not be removed, or the Job not be resumed.
   */
  | { do: "queueAgain"; request: LeaseRequest; ref: ClaimantRef }
  /** Recreate it: a pod's or Job's hold does not end because its request went away. */
  | { do: "putBack"; name: string; ref: HolderRef; holder: string };

export type FollowUpInput = UnrecordedInput &
  Pick<Situation, "requests" | "unrecordedHolders" | "isStuck" | "nowMs">;

const PASSED_OVER = { phase: "Pending", reason: NOT_CONFIRMED } as const;
const HELD = { phase: "Denied", reason: "Held" } as const;
const DONE = { phase: "Denied", reason: ALREADY_DONE } as const;
const DONE_ALONE = { phase: "Denied", reason: DONE_WITHOUT_JOB } as const;
export const TIMED_OUT = { phase: "Denied", reason: "TimedOut" } as const;

/** How long a client can read what became of its request. */
const ANSWER_KEPT_MS = 60_000;

/** When time alone makes a client's request due for deletion; infinite: never. */
export function deletableAtMs(request: LeaseRequest): number {
  const { phase, expiresMs = Number.NEGATIVE_INFINITY } = request.status;
  if (request.spec.ref) return Number.POSITIVE_INFINITY;
  // Without a Lease, nobody tries the request.
  if (isWaiting(request) && isOneTry(request)) return request.spec.requestedAtMs + ANSWER_KEPT_MS;
  return phase === "Denied" || phase === "Expired" ? expiresMs : waitsUntilMs(request);
}

/**
 * When a waiting pod is to be told that its wait-timeout has passed; infinite: never. While its request is passed over, nobody listens:
 * its gate hears it when it asks again.
 */
function deniableAtMs(request: LeaseRequest): number {
  const isPassedOver = request.status.reason === NOT_CONFIRMED;
  return request.spec.ref && !isPassedOver ? waitsUntilMs(request) : Number.POSITIVE_INFINITY;
}

/** When time alone makes a request due for a follow-up; infinite: never. */
export function dueAtMs(request: LeaseRequest): number {
  return Math.min(deletableAtMs(request), deniableAtMs(request));
}

/** Whether a pod is to be told that its wait-timeout has passed. */
export function isTimedOut(request: LeaseRequest, nowMs: number): boolean {
  return deniableAtMs(request) < nowMs;
}

/** Everything in which the requests of `lease` differ from what its status says. */
export function followUps(input: FollowUpInput): FollowUp[] {
  const { lease, requests, evidenceOf } = input;
  const { hold } = lease.status;
  const isOfHolder = ({ uid, spec: { ref } }: LeaseRequest) => (ref?.uid ?? uid) === hold?.ref.uid;
  const tellsOfHold = (request: LeaseRequest) =>
    isOfHolder(request) &&
    (!request.spec.ref || wasGranted(request, lease) || request.status.token === hold?.token);
  const newcomers = isFree(input) ? undefined : newcomersOf(lease, requests, evidenceOf);
  const steps = requests
    .filter(({ terminating }) => !terminating)
    .map((request) =>
      tellsOfHold(request)
        ? followGrant(lease, request)
        : (followOther(input, request) ?? followNewcomer(input, request, newcomers)),
    )
    .filter((step) => step !== undefined);
  // A request that was made after the hold counts, too: it occupies the missing one's name.
  const hasRequest = requests.some((request) => !request.terminating && isOfHolder(request));
  if (hold && hold.ref.kind !== "LeaseRequest" && !hasRequest && !isPast(evidenceOf(hold.ref))) {
    const name = requestName(lease.name, hold.ref);
    steps.push({ do: "putBack", name, ref: hold.ref, holder: hold.holder });
  }
  return steps;
}

function followGrant({ status: { hold } }: Lease, request: LeaseRequest): FollowUp | undefined {
  if (!hold) return undefined;
  const isPassedOver = isWaiting(request) && request.status.reason !== undefined && !hold.confirmed;
  const status = grantedStatus(request, hold);
  return isPassedOver || isDeepStrictEqual(status, request.status)
    ? undefined
    : { do: "mark", request, status };
}

function followOther(input: FollowUpInput, request: LeaseRequest): FollowUp | undefined {
  const { lease, evidenceOf, nowMs } = input;
  const { ref } = request.spec;
  const { phase, token } = request.status;
  const expiresMs = nowMs + ANSWER_KEPT_MS;
  if (phase === "Granted") {
    if (isUnrecordedHold(input, request))
      return ref && isUnbound(evidenceOf(ref)) ? { do: "queueAgain", request, ref } : undefined;
    if (ref && wasTakenBack(request, lease.status) && !isPast(evidenceOf(ref)))
      return { do: "mark", request, status: PASSED_OVER };
    if (ref) return { do: "delete", request };
    const reason = lease.status.history.find((past) => past.token === token)?.reason ?? "Expired";
    return { do: "mark", request, status: { ...request.status, phase: "Expired", reason, expiresMs } };
  }
  if (ref && (isPast(evidenceOf(ref)) || isOutdated(request, evidenceOf(ref))))
    return { do: "delete", request };
  // Forgotten, or deleted with the Lease, before its Job was ended.
  if (ref && isAlreadyDone(request) && !isDone(lease.status, request))
    return { do: "mark", request, status: QUEUED_AGAIN };
  const isDoneNow = isWaiting(request) && isDone(lease.status, request);
  if (isDoneNow && !ref) return { do: "deny", request, status: { ...DONE, expiresMs } };
  // A Job whose work is done has to be ended as well: see src/controller/done-jobs.ts. A pod that has lost its Job is told.
  if (ref && (isDoneNow || isAlreadyDone(request)))
    return isWithoutJob(evidenceOf(ref))
      ? { do: isDoneNow ? "deny" : "mark", request, status: DONE_ALONE }
      : undefined;
  if (ref && isWaiting(request) && request.status.reason === NOT_CONFIRMED && isToWaitAgain(input, ref))
    return { do: "queueAgain", request, ref };
  const isTried = isWaiting(request) && isOneTry(request) && request.status.reason !== NOT_CONFIRMED;
  if (isTried && !isFree(input)) {
    // A pod's request is deleted with its pod.
    return { do: "deny", request, status: { ...HELD, ...(!ref && { expiresMs }) } };
  }
  if (isTimedOut(request, nowMs)) return { do: "deny", request, status: TIMED_OUT };
  return deletableAtMs(request) < nowMs ? { do: "delete", request } : undefined;
}

/**
 * Whether the claimant of a grant that was taken back is to wait again: nothing of it runs that could ask. If what would let it start has just
 * failed, others are served first.
 */
function isToWaitAgain(input: FollowUpInput, ref: ClaimantRef): boolean {
  const known = input.evidenceOf(ref);
  const start = known.is === "job" ? "resume" : isGated(known) ? "ungate" : undefined;
  return start !== undefined && (!input.isStuck(start, ref.uid) || isFree(input));
}

function followNewcomer(
  { nowMs }: FollowUpInput,
  request: LeaseRequest,
  newcomers: Newcomers | undefined,
): FollowUp | undefined {
  if (!newcomers) return undefined;
  const { mayWait, turnedAway } = newcomers;
  if (mayWait.includes(request)) return { do: "mark", request, status: { ...request.status, mayWait: true } };
  if (!turnedAway.includes(request)) return undefined;
  // A pod's request is deleted with its pod.
  const expires = !request.spec.ref && { expiresMs: nowMs + ANSWER_KEPT_MS };
  return { do: "deny", request, status: { phase: "Denied", reason: QUEUE_FULL, ...expires } };
}
