/** How a hold begins: its token, its ttl and its first status. Pure, as the transitions of hold.ts are. */
import { defined } from "../shared/json.ts";
import { endHold, notBefore, unstopped } from "./hold.ts";
import type { PodView } from "./pod.ts";
import { MIN_POD_TTL_MS } from "./settings.ts";
import type { Hold, HolderRef, Lease, LeaseRequest, LeaseStatus } from "./types.ts";

/** A creationTimestamp has whole seconds. */
const CREATED_WITHIN_MS = 1_000;

/**
 * The next fencing token: greater than every token granted before, also under a deleted Lease of this name (this Lease was created
 * later, and requests remember tokens). The first token is the time in milliseconds, kept within the second in which the Lease was
 * created, or the token after those of the Lease from whose backup this one was restored. So it follows the API server's clock, and still differs when a Lease is created twice in one second. Limit: an API
 * server's clock that is set back, or lags behind another server's, by more than the time between the two creations.
 */
export function nextToken(lease: Lease, requests: Iterable<LeaseRequest>, nowMs: number): number {
  const { createdMs, status, restoredToken = 0 } = lease;
  const first = Math.min(Math.max(nowMs, createdMs), createdMs + CREATED_WITHIN_MS);
  let highest = Math.max(status.lastToken ?? first - 1, restoredToken);
  for (const request of requests) highest = Math.max(highest, request.status.token ?? 0);
  return highest + 1;
}

export interface Grant {
  request: LeaseRequest;
  ref: HolderRef;
  token: number;
  ttlMs: number;
}

/** `status`, which has no hold, with the hold of `grant`. */
export function grantHold(
  status: LeaseStatus,
  { request, ref, token, ttlMs }: Grant,
  nowMs: number,
): LeaseStatus {
  const acquiredMs = notBefore(status.history[0]?.endedMs ?? 0, nowMs);
  // A client that waits without end, as kubectl does, is not there to confirm.
  const confirmed = request.spec.ref === undefined && request.spec.waitUntilMs === undefined;
  const hold: Hold = {
    holder: request.spec.holder,
    ref,
    token,
    acquiredMs,
    expiresMs: acquiredMs + ttlMs,
    ttlMs,
    renewals: 0,
    confirmed,
    ...(confirmed && { confirmedMs: acquiredMs }),
    expired: false,
    releasing: false,
    unreachable: false,
    ...defined({
      renewTimeMs: request.spec.renewTimeMs,
      once: request.spec.once,
      traceparent: request.traceparent,
    }),
    ...(ref.kind === "Job" && { pods: [] }),
  };
  return { ...status, hold, lastToken: token, lastRequest: request.uid };
}

/**
 * The same claimant's next hold, without a gap: its gate runs again, so main has ended, and nobody else was ever in between. The
 * token is a new one, so that a late status of the earlier run cannot end this hold.
 */
export function regrantHold(lease: Lease, requests: Iterable<LeaseRequest>, nowMs: number): LeaseStatus {
  const { hold } = lease.status;
  if (!hold) return lease.status;
  const token = nextToken(lease, requests, nowMs);
  const { holder, ref, ttlMs, pods, renewTimeMs, traceparent, once } = hold;
  const acquiredMs = notBefore(hold.acquiredMs, nowMs);
  return {
    ...endHold(lease, "Restarted", nowMs),
    lastToken: token,
    hold: {
      holder,
      ref: unstopped(ref),
      token,
      acquiredMs,
      expiresMs: acquiredMs + ttlMs,
      ttlMs,
      ...defined({ pods, renewTimeMs, traceparent, once }),
      renewals: 0,
      confirmed: false,
      expired: false,
      releasing: false,
      unreachable: false,
    },
  };
}

/** How its request shows `hold`. The ttl is kept for holds without a pod: if the Lease is deleted, nothing else records them. */
export function grantedStatus({ spec: { ref } }: LeaseRequest, hold: Hold): LeaseRequest["status"] {
  return { phase: "Granted", token: hold.token, ...(ref?.kind !== "Pod" && { holdTtlMs: hold.ttlMs }) };
}

/** The TTL a new hold gets: what its claimant asked for, else the Lease's, but never too short for a pod to be stopped in. */
export function holdTtlMs(
  lease: Lease,
  askedMs: number | undefined,
  pod: Pick<PodView, "selfFencing" | "stopMs"> | undefined,
): number {
  const wantedMs = askedMs ?? lease.spec.ttlMs;
  const leastMs = pod ? Math.max(MIN_POD_TTL_MS, pod.selfFencing ? 2 * pod.stopMs : 0) : 0;
  return Math.ceil(Math.max(wantedMs, leastMs));
}

/** The reference under which `request` would hold. */
export function holderRefOf(request: LeaseRequest, pod: PodView | undefined): HolderRef {
  const { ref } = request.spec;
  if (!ref) return { kind: "LeaseRequest", name: request.name, uid: request.uid };
  return pod ? { ...podRefOf(pod), ...ref } : ref;
}

/** What must be known of a pod that may run main even when its object is gone. */
export function podRefOf({
  name,
  uid,
  node,
  graceSeconds,
  selfFencing,
}: PodView): HolderRef & { kind: "Pod" } {
  return { kind: "Pod", name, uid, ...defined({ node }), graceSeconds, selfFencing };
}
