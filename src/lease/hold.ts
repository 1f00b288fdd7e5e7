/**
 * The transitions of a Lease's status, each a pure function from what was read to what is to be written. All of them are
 * written guarded by the resourceVersion that was read, so each happens to exactly the state it was computed from; on a conflict
 * the caller reads again and asks again.
 */
import { isLaterRun } from "../shared/gate-run.ts";
import { defined } from "../shared/json.ts";
import type {
  EndReason,
  ForcedRelease,
  Hold,
  HolderPod,
  HolderRef,
  Lease,
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

/** Who speaks for a hold: its holder, or a pod that shares its Job's. Both must be the hold's own. */
export interface HoldClaim {
  uid: string;
  token: number;
}

/** The hold of `lease` if it is the claim's. */
export function holdOf(lease: Lease | undefined, { uid, token }: HoldClaim): Hold | undefined {
  const hold = lease?.status.hold;
  if (hold?.token !== token) return undefined;
  return hold.ref.uid === uid || memberOf(hold, uid) ? hold : undefined;
}

/** Every pod that may be running under it; none where a client holds. */
export function podsOf({ ref, pods }: Hold): readonly HolderRef[] {
  return ref.kind === "Pod" ? [ref] : (pods ?? []);
}

/** The pod of this uid, if it may be running under the hold of its Job. */
export function memberOf({ pods = [] }: Hold, uid: string): HolderPod | undefined {
  return pods.find((pod) => pod.uid === uid);
}

/** The hold of `lease` if it is this Job's, and pods of it may be let through. */
export function openHoldOf(lease: Lease | undefined, job: { uid: string } | undefined): Hold | undefined {
  const hold = lease?.status.hold;
  if (!lease || !job || hold?.ref.kind !== "Job" || hold.ref.uid !== job.uid) return undefined;
  return hold.expired || hold.revoked || forcedRelease(lease, hold) ? undefined : hold;
}

function othersThan({ pods = [] }: Hold, podUid: string): readonly HolderPod[] {
  return pods.filter(({ uid }) => uid !== podUid);
}

/** The status once nothing of this pod may be running any more. Its Job's hold goes on. */
export function removeMember(status: LeaseStatus, podUid: string): LeaseStatus {
  return status.hold ? changeHold(status, { pods: othersThan(status.hold, podUid) }) : status;
}

/** The status once this pod's keeper was asked to stop. */
export function markReleasing(status: LeaseStatus, podUid: string): LeaseStatus {
  const { hold } = status;
  const member = hold && memberOf(hold, podUid);
  if (!member) return changeHold(status, { releasing: true });
  return changeHold(status, { pods: [...othersThan(hold, podUid), { ...member, releasing: true }] });
}

/** The admin's word that this hold is over, if it was given. */
export function forcedRelease(
  { forced }: Pick<Lease, "forced">,
  { token }: Pick<Hold, "token">,
): ForcedRelease | undefined {
  return forced?.token === token ? forced : undefined;
}

/** How far a pod's annotations let its hold be renewed. */
export interface HoldLimits {
  /** Whether beyond the confirmation. */
  renew: boolean;
  maxHoldMs?: number;
}

export interface Renewal extends HoldClaim, HoldLimits {
  /** What its holder counts with until it is answered. */
  countedTtlMs: number;
  /** What a new hold would get. The holder learns of a shorter one by the answer, and the hold gets it with the renewal after that. */
  wantedTtlMs: number;
  /** There when a gate confirms. */
  gateRun?: string;
  /** The node that the pod runs on: of one that was granted before it was scheduled nobody knew it. */
  node?: string;
  /** There when a pod renews or confirms the hold of its Job; `job` is missing where it has lost its owner. */
  shared?: { job?: { uid: string } | undefined; pod: Omit<HolderPod, "gateRun" | "releasing"> };
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
  const hold = holdOf(lease, renewal) ?? joinedHold(lease, renewal);
  if (!hold || hold.expired || isOutdated(hold, renewal)) return { ok: false, reason: "NotHolder" };
  if (hold.revoked === "NotStarted") return { ok: false, reason: "NotStarted" };
  if (hold.revoked || forcedRelease(lease, hold)) return { ok: false, reason: "Revoked" };
  // The answer to a confirmation may be lost: its gate sends it again.
  const confirmedRun = renewal.shared ? memberOf(hold, renewal.uid)?.gateRun : hold.gateRun;
  const isConfirmation =
    !hold.confirmed ||
    (hold.renewals === 0 && renewal.gateRun !== undefined && renewal.gateRun === confirmedRun);
  const limit = isConfirmation ? undefined : limitOf(lease, hold, renewal, nowMs);
  if (limit) return { ok: false, reason: limit };
  // Each pod of a Job counts with what it was told last.
  const othersTtlMs = renewal.shared ? hold.ttlMs : 0;
  const ttlMs = Math.max(renewal.countedTtlMs, renewal.wantedTtlMs, othersTtlMs);
  const renewed: Hold = {
    ...hold,
    ttlMs,
    expiresMs: nowMs + ttlMs,
    renewals: isConfirmation ? hold.renewals : hold.renewals + 1,
    confirmed: true,
    // Only a keeper that runs renews.
    ...(renewal.shared ? memberChange(hold, renewal, renewal.shared.pod) : holderChange(hold, renewal)),
  };
  return { ok: true, status: { ...lease.status, hold: renewed }, hold: renewed };
}

/** Why a hold may not go on any longer than it was promised; undefined where it may. */
function limitOf(
  { spec }: Pick<Lease, "spec">,
  hold: Hold,
  { renew, maxHoldMs }: HoldLimits,
  nowMs: number,
): "NotRenewable" | "MaxHold" | undefined {
  if (!spec.renewable || !renew) return "NotRenewable";
  return maxHoldMs !== undefined && nowMs - hold.acquiredMs >= maxHoldMs ? "MaxHold" : undefined;
}

/** Whether one more pod of the Job may run under `hold`, or one may again. It renews the hold, unless it is the first. */
export function mayJoin(lease: Lease, hold: Hold, limits: HoldLimits, nowMs: number): boolean {
  return !hold.confirmed || limitOf(lease, hold, limits, nowMs) === undefined;
}

function holderChange(hold: Hold, { node, gateRun }: Renewal): Partial<Hold> {
  return {
    ref: { ...hold.ref, ...defined({ node: hold.ref.node ?? node }) },
    ...defined({ gateRun: gateRun ?? hold.gateRun }),
    releasing: false,
  };
}

function memberChange(hold: Hold, { gateRun }: Renewal, pod: Omit<HolderPod, "releasing">): Partial<Hold> {
  const before = memberOf(hold, pod.uid);
  // What is known of the pod may be older than what was known before.
  const known = defined({ node: pod.node ?? before?.node, gateRun: gateRun ?? before?.gateRun });
  return { pods: [...othersThan(hold, pod.uid), { ...pod, ...known, releasing: false }] };
}

/** A confirmation that was on its way for long: its pod has been let through again since, by a later run of its gate. */
function isOutdated(hold: Hold, { uid, gateRun }: Renewal): boolean {
  return gateRun !== undefined && isLaterRun(memberOf(hold, uid)?.gateRun, gateRun);
}

/** A pod of the Job that holds may join the hold by its gate's confirmation alone. */
function joinedHold(lease: Lease, { token, gateRun, shared }: Renewal): Hold | undefined {
  const hold = openHoldOf(lease, shared?.job);
  return gateRun !== undefined && hold?.token === token ? hold : undefined;
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
