/**
 * The transitions of a Lease's status, each a pure function from what was read to what is to be written. All of them are
 * written guarded by the resourceVersion that was read, so each happens to exactly the state it was computed from; on a conflict
 * the caller reads again and asks again.
 */
import { defined } from "../shared/json.ts";
import type { PodView } from "./pod.ts";
import { MIN_POD_TTL_MS } from "./settings.ts";
import type {
  EndReason,
  ForcedRelease,
  Hold,
  HolderRef,
  Lease,
  LeaseRequest,
  LeaseStatus,
  PastHold,
} from "./types.ts";

const HISTORY_LENGTH = 10;

/** The status without its hold, which is noted in the history. An admin who took the Lease away has ended it, whatever followed. */
export function endHold(
  lease: Pick<Lease, "status" | "forced">,
  reason: EndReason,
  nowMs: number,
): LeaseStatus {
  const { status } = lease;
  const { hold, ...rest } = status;
  if (!hold) return status;
  const { holder, acquiredMs, token } = hold;
  const forced = forcedRelease(lease, hold);
  const ended = { holder, acquiredMs, endedMs: nowMs, token, reason: forced ? "Forced" : reason };
  const past: PastHold = { ...ended, ...defined({ by: forced?.by }) };
  return { ...rest, history: [past, ...status.history].slice(0, HISTORY_LENGTH) };
}

/** A creationTimestamp has whole seconds. */
const CREATED_WITHIN_MS = 1_000;

/**
 * The next fencing token: greater than every one granted before, also under a Lease of this name that was deleted since (this
 * one was created later, and requests remember tokens). The first is the time in milliseconds, but never outside of the second in
 * which the Lease was created, so that it counts by the API server's clock, and still differs when a Lease is created twice in
 * one second. Limit: an arbiter's clock that is wrong by more than what passes between the two.
 */
export function nextToken(lease: Lease, requests: Iterable<LeaseRequest>, nowMs: number): number {
  const { createdMs, status } = lease;
  const first = Math.min(Math.max(nowMs, createdMs), createdMs + CREATED_WITHIN_MS);
  let highest = status.lastToken ?? first - 1;
  for (const request of requests) highest = Math.max(highest, request.status.token ?? 0);
  return highest + 1;
}

export interface Grant {
  request: LeaseRequest;
  ref: HolderRef;
  token: number;
  ttlMs: number;
}

/** `status`, which has no hold, with `grant`'s. */
export function grantHold(
  status: LeaseStatus,
  { request, ref, token, ttlMs }: Grant,
  nowMs: number,
): LeaseStatus {
  const hold: Hold = {
    holder: request.spec.holder,
    ref,
    token,
    acquiredMs: nowMs,
    expiresMs: nowMs + ttlMs,
    ttlMs,
    renewals: 0,
    // A client that waits without end, as kubectl does, is not there to confirm.
    confirmed: request.spec.ref === undefined && request.spec.waitUntilMs === undefined,
    expired: false,
    releasing: false,
    unreachable: false,
    ...defined({ renewTimeMs: request.spec.renewTimeMs }),
  };
  return { ...status, hold, lastToken: token, lastRequest: request.uid };
}

/** Who speaks for a hold. Both must be the hold's own. */
export interface HoldClaim {
  uid: string;
  token: number;
}

/** The hold of `lease` if it is the claim's. */
export function holdOf(lease: Lease | undefined, { uid, token }: HoldClaim): Hold | undefined {
  const hold = lease?.status.hold;
  return hold?.ref.uid === uid && hold.token === token ? hold : undefined;
}

/** The admin's word that this hold is over, if it was given. */
export function forcedRelease(
  { forced }: Pick<Lease, "forced">,
  { token }: Pick<Hold, "token">,
): ForcedRelease | undefined {
  return forced?.token === token ? forced : undefined;
}

export interface Renewal extends HoldClaim {
  /** What its holder counts with until it is answered. */
  countedTtlMs: number;
  /** What a new hold would get. The holder learns of a shorter one by the answer, and the hold gets it with the renewal after that. */
  wantedTtlMs: number;
  /** Whether the pod's annotations allow renewals beyond the confirmation. */
  renew: boolean;
  maxHoldMs?: number;
  /** There when a gate confirms. */
  gateRun?: string;
  /** The node that the pod runs on: of one that was granted before it was scheduled nobody knew it. */
  node?: string;
}

export type RenewalRefusal = "NotHolder" | "Revoked" | "NotStarted" | "MaxHold" | "NotRenewable";

export type RenewalResult =
  | { ok: true; status: LeaseStatus; hold: Hold }
  | { ok: false; reason: RenewalRefusal };

/**
 * A renewal, or the confirmation of a grant, which is always allowed and not counted. A hold that has expired cannot be renewed:
 * somebody else may be about to start.
 */
export function renewHold(lease: Lease, renewal: Renewal, nowMs: number): RenewalResult {
  const hold = holdOf(lease, renewal);
  if (!hold || hold.expired) return { ok: false, reason: "NotHolder" };
  if (hold.revoked === "NotStarted") return { ok: false, reason: "NotStarted" };
  if (hold.revoked || forcedRelease(lease, hold)) return { ok: false, reason: "Revoked" };
  // The answer to a confirmation may be lost: its gate sends it again.
  const isConfirmation =
    !hold.confirmed ||
    (hold.renewals === 0 && renewal.gateRun !== undefined && renewal.gateRun === hold.gateRun);
  if (!isConfirmation) {
    if (!lease.spec.renewable || !renewal.renew) return { ok: false, reason: "NotRenewable" };
    if (renewal.maxHoldMs !== undefined && nowMs - hold.acquiredMs >= renewal.maxHoldMs) {
      return { ok: false, reason: "MaxHold" };
    }
  }
  const ttlMs = Math.max(renewal.countedTtlMs, renewal.wantedTtlMs);
  const renewed: Hold = {
    ...hold,
    ttlMs,
    expiresMs: nowMs + ttlMs,
    renewals: isConfirmation ? hold.renewals : hold.renewals + 1,
    confirmed: true,
    ref: { ...hold.ref, ...defined({ node: hold.ref.node ?? renewal.node }) },
    ...defined({ gateRun: renewal.gateRun ?? hold.gateRun }),
    // Only a keeper that runs renews.
    releasing: false,
  };
  return { ok: true, status: { ...lease.status, hold: renewed }, hold: renewed };
}

/** A holder renews each third of its ttl, or each half of it: beyond this share something is wrong. */
const LATE_AFTER_TTL = 2 / 3;

/** After what silence `renewed` followed `old`, if that was too long for comfort; else 0. By the wall clock: for people. */
export function lateRenewalMs(old: Hold, renewed: Hold): number {
  if (renewed.renewals === old.renewals) return 0;
  const silentMs = renewed.expiresMs - renewed.ttlMs - (old.expiresMs - old.ttlMs);
  return silentMs > LATE_AFTER_TTL * old.ttlMs ? silentMs : 0;
}

/** `status` with changes to its hold. */
export function changeHold(status: LeaseStatus, change: Partial<Hold>): LeaseStatus {
  return status.hold ? { ...status, hold: { ...status.hold, ...change } } : status;
}

/**
 * The same claimant's next hold, without a gap: its gate runs again, so main has ended, and nobody else was ever in between. The
 * token is a new one, so that a late status of the earlier run cannot end this hold.
 */
export function regrantHold(lease: Lease, requests: Iterable<LeaseRequest>, nowMs: number): LeaseStatus {
  const { hold } = lease.status;
  if (!hold) return lease.status;
  const token = nextToken(lease, requests, nowMs);
  const { revoked: _, gateRun: __, ...kept } = hold;
  return {
    ...endHold(lease, "Restarted", nowMs),
    lastToken: token,
    hold: {
      ...kept,
      token,
      acquiredMs: nowMs,
      expiresMs: nowMs + hold.ttlMs,
      renewals: 0,
      confirmed: false,
      expired: false,
      releasing: false,
      unreachable: false,
    },
  };
}

/** The TTL a new hold gets: what its claimant asked for, else the Lease's, but never too short for a pod to be stopped in. */
export function holdTtlMs(lease: Lease, askedMs: number | undefined, pod: PodView | undefined): number {
  const wantedMs = askedMs ?? lease.spec.ttlMs;
  const leastMs = pod ? Math.max(MIN_POD_TTL_MS, pod.selfFencing ? 2 * pod.stopMs : 0) : 0;
  return Math.ceil(Math.max(wantedMs, leastMs));
}

/** The reference under which `request` would hold. */
export function holderRefOf(request: LeaseRequest, pod: PodView | undefined): HolderRef {
  const { ref } = request.spec;
  if (!ref) return { kind: "LeaseRequest", name: request.name, uid: request.uid };
  if (!pod) return ref;
  const { node, graceSeconds, selfFencing } = pod;
  return { ...ref, ...defined({ node }), graceSeconds, selfFencing };
}
