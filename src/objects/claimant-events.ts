/**
 * Events on the pod or Job that asks for a Lease, or on a client's LeaseRequest: what `kubectl describe` of it tells its user.
 */
import type { EventMark, EventObject, EventReport } from "../kube/events.ts";
import { apiVersion, JOBS, LEASE_REQUESTS, PODS } from "../kube/resources.ts";
import { formatDuration } from "../lease/duration.ts";
import { describeTurn, TOLD_PLACES } from "../lease/forecast.ts";
import { ALREADY_DONE, describeDoneWithoutJob } from "../lease/once.ts";
import { NOT_CONFIRMED, type Place } from "../lease/order.ts";
import { heldBack } from "../lease/policies/held-back.ts";
import { describeQueueFull, QUEUE_FULL } from "../lease/policies/max-waiting.ts";
import type { ClaimantRef, Hold, Lease, LeaseRequest } from "../lease/types.ts";
import { ANNOTATION, GATE_CONTAINER, KEEPER_CONTAINER } from "../shared/names.ts";
import { isoTime, secondsTime } from "../shared/times.ts";

const WAITING = { type: "Normal", reason: "Waiting" } as const;

/** `request` waits for `lease` at `nowMs`; `what`: which time it is told, since the same one becomes one event. */
export function waitingEvent(
  request: LeaseRequest,
  lease: Lease,
  { position, of }: Place,
  what: string,
  nowMs: number,
): EventReport {
  const { name } = lease;
  const since = secondsTime(request.spec.requestedAtMs);
  const turn = position <= TOLD_PLACES ? describeTurn(lease, position, nowMs) : undefined;
  const message = `waiting for klease ${name} since ${since}: position ${position} of ${of}, ${obstacleOf(request, lease, { turn, nowMs })}`;
  return reportOn(request, { ...waitingMark(request, what), message });
}

const waitingMark = ({ uid }: LeaseRequest, what: string): EventMark => ({
  ...WAITING,
  once: `${uid} ${what}`,
});

/** `turn`: when its turn will probably come; unknown while the holder is silent. */
function obstacleOf(
  { spec, status }: LeaseRequest,
  lease: Lease,
  { turn, nowMs }: { turn: string | undefined; nowMs: number },
): string {
  const { name } = lease;
  const { hold } = lease.status;
  if (status.reason === NOT_CONFIRMED)
    return spec.ref?.kind === "Job"
      ? "passed over until konductor tries again to resume it; look at konductor's log"
      : `passed over until the pod's gate answers; look at the log of container ${GATE_CONTAINER}, or of konductor if the pod has no node`;
  const rule = heldBack(lease, nowMs);
  const forecast = turn === undefined ? "" : `, its turn probably comes ${turn}`;
  if (!hold)
    return `${rule ? `${rule.why}${forecast}` : (lease.status.awaited ?? "held by nobody yet")}; see kubectl describe klease ${name}`;
  const held = `held by ${hold.holder} since ${secondsTime(hold.acquiredMs)}`;
  if (hold.unreachable)
    return `${held}, and nothing proves that it has stopped: somebody must act, see kubectl describe klease ${name}`;
  if (hold.expired)
    return `${held}, which is silent and has to be stopped first; see kubectl describe klease ${name}`;
  if (rule) return `${held}, and ${rule.why}${forecast}; see kubectl describe klease ${name}`;
  return `${held}, expires ${secondsTime(hold.expiresMs)} unless renewed${forecast}; see kubectl describe klease ${name}`;
}

/** `request` holds `lease` now. Written only if it was told that it waits, as one of `told` ({@link waitingEvent}). */
export function grantedEvent(
  request: LeaseRequest,
  { name }: Lease,
  { acquiredMs, token }: Hold,
  told: readonly string[],
): EventReport {
  const waitedMs = Math.max(0, acquiredMs - request.spec.requestedAtMs);
  const message = `granted klease ${name} after ${formatDuration(wholeSeconds(waitedMs))}, token ${token}`;
  const follows = told.map((what) => waitingMark(request, what));
  return reportOn(request, { type: "Normal", reason: "Granted", message, once: String(token), follows });
}

/** `request`, of a pod, has waited for its whole wait-timeout; what is in the way says `klease`. */
export function timedOutEvent(request: LeaseRequest, klease: Lease | undefined, nowMs: number): EventReport {
  const { lease, waitUntilMs = 0, requestedAtMs } = request.spec;
  const message =
    `waited for klease ${lease} for ${formatDuration(waitUntilMs - requestedAtMs)}, its ${ANNOTATION.waitTimeout}, in vain: ` +
    `${standingOf(klease, nowMs)}. The gate fails with code 69; raise the annotation, or see kubectl describe klease ${lease}`;
  return reportOn(request, { type: "Warning", reason: "TimedOut", message, once: request.uid });
}

/** `request` was turned away, since too many wait already. */
export function queueFullEvent(request: LeaseRequest, klease: Lease | undefined): EventReport {
  const { lease, ref } = request.spec;
  const message =
    `was not let wait for klease ${lease}: ${describeQueueFull(klease)}${ref ? "; the gate fails with code 69" : ""}. ` +
    `Raise spec.maxWaiting of the klease, or see koncli lease queue ${lease}`;
  return reportOn(request, { type: "Warning", reason: QUEUE_FULL, message, once: request.uid });
}

/** `request`, of a pod that has lost its Job, asks for work that is done already. */
export function doneWithoutJobEvent(request: LeaseRequest, klease: Lease | undefined): EventReport {
  const { lease } = request.spec;
  const message =
    `was not granted klease ${lease}: ${describeDoneWithoutJob(request, klease)}. The gate fails with code 69; a pod that waits unscheduled ` +
    "has to be deleted";
  return reportOn(request, { type: "Warning", reason: ALREADY_DONE, message, once: request.uid });
}

/** The pod or Job, which has no gate yet that could say so, is refused the Lease `lease`. */
export function refusedEvent(
  kind: "Pod" | "Job",
  { namespace, name, uid }: Omit<EventObject, "apiVersion" | "kind">,
  lease: string,
  why: string,
): EventReport {
  const message = `does not wait for klease ${lease}: ${why}`;
  const object = { apiVersion: apiVersion(RESOURCE[kind]), kind, namespace, name, uid };
  return { object, type: "Warning", reason: "Refused", message, once: uid };
}

/** The pod lost its hold of the Lease `lease`, and its keeper stopped it. `runsAgain`: from its gate. */
export function fencedEvent(
  pod: Omit<EventObject, "apiVersion" | "kind">,
  { lease, token, runsAgain }: { lease: string; token: number; runsAgain: boolean },
): EventReport {
  const { namespace, name, uid } = pod;
  const next = runsAgain ? "The pod waits for it again" : "The pod fails, because its restartPolicy is Never";
  const message =
    `lost klease ${lease} (token ${token}), which could not be renewed; the pod's containers were stopped. ${next}. ` +
    `See kubectl logs ${name} -c ${KEEPER_CONTAINER} --previous`;
  return {
    object: { apiVersion: apiVersion(PODS), kind: "Pod", namespace, name, uid },
    ...{ type: "Warning", reason: "Fenced", message, once: String(token), isUrgent: true },
  };
}

/** The Job is Complete without having run; `why` says who was in the way. */
export function skippedEvent(
  { namespace, name, uid }: Omit<EventObject, "apiVersion" | "kind">,
  why: string,
): EventReport {
  const object = { apiVersion: apiVersion(JOBS), kind: "Job", namespace, name, uid };
  return {
    object,
    type: "Normal",
    reason: "Skipped",
    message: `marked Complete without having run: ${why}`,
    once: uid,
  };
}

/** The Job is Complete without having run; `why` says who has done its work. */
export function alreadyDoneEvent(
  { namespace, name, uid }: Omit<EventObject, "apiVersion" | "kind">,
  lease: string,
  why: string,
): EventReport {
  const object = { apiVersion: apiVersion(JOBS), kind: "Job", namespace, name, uid };
  const message = `marked Complete without having run: under klease ${lease} ${why}`;
  return { object, type: "Normal", reason: ALREADY_DONE, message, once: uid };
}

/** E.g. "held by report-9dk4s since 2026-01-01T02:00:11.034Z", and whether a rule of its owner holds it back. */
export function standingOf(lease: Lease | undefined, nowMs: number): string {
  const hold = lease?.status.hold;
  const standing = hold ? `held by ${hold.holder} since ${isoTime(hold.acquiredMs)}` : "nobody holds it now";
  const rule = lease && heldBack(lease, nowMs);
  return rule ? `${standing}, and it is ${rule.why}` : standing;
}

function reportOn(request: LeaseRequest, told: Omit<EventReport, "object">): EventReport {
  return { object: objectOf(request), ...told };
}

const RESOURCE = { Pod: PODS, Job: JOBS, LeaseRequest: LEASE_REQUESTS } as const;

/** A client has no object but its request. */
function objectOf({ namespace, name, uid, spec }: LeaseRequest): EventObject {
  const ref: ClaimantRef = spec.ref ?? { kind: "LeaseRequest", name, uid };
  return { apiVersion: apiVersion(RESOURCE[ref.kind]), namespace, ...ref };
}

const wholeSeconds = (ms: number) => Math.round(ms / 1_000) * 1_000;
