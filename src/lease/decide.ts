/**
 * The one place where it is decided who holds a Lease.
 *
 * `decide` is pure: it looks at a Lease, its requests, what is known of the claimants' pods and how long the holder has been silent,
 * and names the one next step. It keeps no state and is asked again after every step and every change. So a failed or lost step is
 * named again, and a repeated one does no harm.
 *
 * What it guarantees, as long as every write it asks for is guarded by the Lease's resourceVersion, and evidence is never invented
 * (a pod is `gone` only after a live GET; `silentForMs` counts from when a renewal was *seen*):
 * - a confirmed hold ends only by its holder's release, by an admin's force, by proof that main has ended (for a vanished pod time may
 *   stand for it), or after ttl + allowance of silence and what the handover policy asks for beyond that;
 * - the next grant is computed from the state in which nobody holds, so no two claimants hold at once;
 * - nobody is granted whom a rule of the Lease's owner holds back (policies/held-back.ts);
 * - work whose key is noted as done is not granted, not even by the write that notes it;
 * - tokens strictly increase; waiters are served by priority, then age; a waiter is passed over only while it cannot use a grant.
 *
 * Limits: with AfterExpiry, a holder whose kubelet is dead or frozen may still run; the fencing token is the remedy.
 */
import type { Decision, Situation } from "./decision.ts";
import { isEligible, isOutdated, lastSeen } from "./evidence.ts";
import { grantHold, holderRefOf, holdTtlMs, nextToken } from "./grant.ts";
import { endHold } from "./hold.ts";
import { judgeClient } from "./judge-client.ts";
import { judgeJob } from "./judge-job.ts";
import { judgePod } from "./judge-pod.ts";
import { isDone } from "./once.ts";
import { isGrantable, isWaiting, waitingInOrder, wasGranted } from "./order.ts";
import { heldBack } from "./policies/held-back.ts";
import type { ClaimantRef, EndReason, LeaseRequest, LeaseStatus } from "./types.ts";

/** How long phase Expired is shown while nobody else wants the Lease. */
const EXPIRED_SHOWN_MS = 1_000;

/** Nothing is known of a Job's pods before they are created. */
const ANY_POD = { selfFencing: false, stopMs: 0 };

const UNRECORDED_LOOK_EVERY_MS = 5_000;

const JUDGES = { Pod: judgePod, Job: judgeJob, LeaseRequest: judgeClient };

/** The next step for one Lease. */
export function decide(situation: Situation): Decision {
  const { lease } = situation;
  const { hold } = lease.status;
  if (!hold) return showAwaited(situation, serveNext(situation, lease.status));
  const verdict = JUDGES[hold.ref.kind](situation, hold);
  if (verdict.is === "step") return verdict.step;
  // The holder's request does not show the grant yet. If retired now, the hold would next be taken for released.
  if (situation.requests.some((request) => isWaiting(request) && request.uid === hold.ref.uid))
    return endOnly(situation, { ...verdict, passOver: undefined });
  const next = serveNext(situation, ended(situation, verdict), verdict.passOver);
  if (next.do === "write") return { ...next, ...(verdict.passOver && { passOver: verdict.passOver }) };
  const shownForMs = hold.expired ? situation.timers.expiredForMs : EXPIRED_SHOWN_MS;
  // If retired now, the holder's recreated request would only be recreated again, and nobody else waits for that.
  const isItsOwn = ({ spec }: LeaseRequest) => spec.ref?.uid === hold.ref.uid;
  const isShown = shownForMs < EXPIRED_SHOWN_MS && situation.requests.filter(isWaiting).every(isItsOwn);
  if (next.do !== "wait" && !(next.do === "retire" && isShown)) return next;
  if (shownForMs < EXPIRED_SHOWN_MS) return { do: "wait", forMs: EXPIRED_SHOWN_MS - shownForMs };
  return endOnly(situation, verdict);
}

interface Ending {
  reason: EndReason;
  passOver?: LeaseRequest | undefined;
  hasSucceeded?: boolean;
}

const ended = ({ lease, nowMs }: Situation, { reason, hasSucceeded }: Ending): LeaseStatus =>
  endHold(lease, reason, nowMs, hasSucceeded);

function endOnly(situation: Situation, ending: Ending): Decision {
  const status = ended(situation, ending);
  const { reason, passOver } = ending;
  return passOver
    ? { do: "write", status: withoutLastRequest(status), why: reason, passOver }
    : { do: "write", status, why: reason };
}

/** Looks again regularly: not every end of a deleted Lease's hold wakes this Lease. */
function waitForUnrecorded({ requests, evidenceOf, isStuck }: Situation): Decision {
  const isUnseen = (ref: ClaimantRef) => evidenceOf(ref).is === "unknown" && !isStuck("look", ref.uid);
  const unseen = requests.find(
    ({ status, spec: { ref } }) => status.phase === "Granted" && ref && isUnseen(ref),
  );
  return unseen?.spec.ref
    ? { do: "look", at: unseen.spec.ref }
    : { do: "wait", forMs: UNRECORDED_LOOK_EVERY_MS };
}

/** Has the status say who is awaited for too long, and say it only as long as that is so. */
function showAwaited({ lease, overdueHolders }: Situation, next: Decision): Decision {
  const { awaited, ...status } = lease.status;
  if (next.do === "write" || lease.terminating || awaited === overdueHolders) return next;
  const news = overdueHolders === undefined ? status : { ...status, awaited: overdueHolders };
  return { do: "write", status: news, why: "HolderUnreachable" };
}

/** A request whose grant was taken back may be granted again. */
function withoutLastRequest(status: LeaseStatus): LeaseStatus {
  const { lastRequest: _, ...rest } = status;
  return rest;
}

/** Grants to the first in the queue that can use it; `free` is the Lease's status with nobody holding. */
function serveNext(situation: Situation, free: LeaseStatus, passOver?: LeaseRequest): Decision {
  const { lease, requests, nowMs, isStuck } = situation;
  // It has had its hold, but its status does not say so yet. The next grant would erase the Lease's record of that.
  const spent = requests.find(
    (request) =>
      isWaiting(request) &&
      wasGranted(request, lease) &&
      request.uid !== passOver?.uid &&
      !isStuck("retire", request.uid),
  );
  if (spent) return { do: "retire", request: spent };
  if (lease.terminating) return { do: "wait" };
  if (free.lastToken === undefined && situation.unrecordedHolders > 0) return waitForUnrecorded(situation);
  const held = heldBack({ ...lease, status: free }, nowMs);
  if (held) return held.untilMs === undefined ? { do: "wait" } : { do: "wait", forMs: held.untilMs - nowMs };
  for (const request of waitingInOrder(lease, requests)) {
    if (!isGrantable(request, nowMs) || request.uid === passOver?.uid) continue;
    if (isStuck("retire", request.uid) || isDone(free, request)) continue;
    const { ref } = request.spec;
    const evidence = ref && situation.evidenceOf(ref);
    if (ref && evidence?.is === "unknown" && !isStuck("look")) return { do: "look", at: ref };
    if (evidence && (!isEligible(evidence) || isOutdated(request, evidence))) continue;
    const pod = evidence && lastSeen(evidence);
    const grant = {
      request,
      ref: holderRefOf(request, pod),
      token: nextToken(lease, requests, nowMs),
      ttlMs: holdTtlMs(lease, request.spec.ttlMs, ref?.kind === "Job" ? ANY_POD : pod),
    };
    return { do: "write", status: grantHold(free, grant, nowMs), why: "Granted", granted: request };
  }
  return { do: "wait" };
}
