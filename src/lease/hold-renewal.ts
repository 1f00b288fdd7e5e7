/** How a hold goes on: its renewals, and the confirmation with which they begin. Pure, as the transitions of hold.ts are. */
import { isDeepStrictEqual } from "node:util";
import type { RenewalLimit, RenewalRefusal } from "../shared/errors.ts";
import { isEarlierRun, isLaterRun } from "../shared/gate-run.ts";
import { defined } from "../shared/json.ts";
import {
  forcedRelease,
  type HoldClaim,
  holdOf,
  isOutdatedWord,
  memberOf,
  openHoldOf,
  othersThan,
  runOf,
  unstopped,
} from "./hold.ts";
import type { Hold, HolderPod, Lease, LeaseStatus } from "./types.ts";

/** How far a pod's annotations let its hold be renewed. */
export interface HoldLimits {
  /** Whether it may be renewed beyond its confirmation. */
  renew: boolean;
  maxHoldMs?: number;
}

export interface Renewal extends HoldClaim, HoldLimits {
  /** The ttl that the holder says it counts with until it gets an answer. */
  countedTtlMs: number;
  /** The ttl that a new hold would get. If it is shorter, the answer tells the holder, and the hold gets it with the next renewal. */
  wantedTtlMs: number;
  /** Set when a gate confirms. */
  gateRun?: string;
  /** Set when a keeper renews: since when it runs. */
  keeperSince?: string;
  /** The node that the pod runs on, unknown so far if the grant came before scheduling. */
  node?: string;
  /** Set when a pod renews or confirms the hold of its Job; `job` is missing if the pod has lost its owner. */
  shared?: {
    job?: { uid: string } | undefined;
    pod: Omit<HolderPod, "gateRun" | "keeperSince" | "releasing">;
  };
}

export type RenewalResult =
  | { ok: true; status: LeaseStatus; hold: Hold }
  | { ok: false; reason: RenewalRefusal };

/**
 * A renewal, or the confirmation of a grant, which no limit refuses and which is not counted. A hold that has expired cannot be
 * renewed: somebody else may be about to start.
 */
export function renewHold(lease: Lease, renewal: Renewal, nowMs: number): RenewalResult {
  const hold = holdOf(lease, renewal) ?? joinedHold(lease, renewal);
  if (!hold || hold.expired || isOutdated(hold, renewal)) return { ok: false, reason: "NotHolder" };
  if (hold.revoked && hold.revoked !== "Forced") return { ok: false, reason: hold.revoked };
  if (hold.revoked || forcedRelease(lease, hold)) return { ok: false, reason: "Revoked" };
  // The answer to a confirmation may be lost: its gate sends it again.
  const confirmedRun = runOf(hold, renewal.uid).gateRun;
  const isConfirmation =
    !hold.confirmed ||
    (hold.renewals === 0 && renewal.gateRun !== undefined && renewal.gateRun === confirmedRun);
  const limit = isConfirmation ? undefined : limitOf(lease, hold, renewal, nowMs);
  if (limit) return { ok: false, reason: limit };
  // Each pod of a Job counts with what it was told last.
  const othersTtlMs = renewal.shared ? hold.ttlMs : 0;
  // No holder was ever told more than the hold's ttl.
  const countedTtlMs = Math.min(renewal.countedTtlMs, hold.ttlMs);
  const ttlMs = Math.max(countedTtlMs, renewal.wantedTtlMs, othersTtlMs);
  const renewed: Hold = {
    ...hold,
    ttlMs,
    expiresMs: nowMs + ttlMs,
    renewals: isConfirmation ? hold.renewals : hold.renewals + 1,
    confirmed: true,
    ...(!hold.confirmed && { confirmedMs: nowMs }),
    ...(renewal.shared ? memberChange(hold, renewal, renewal.shared.pod) : holderChange(hold, renewal)),
  };
  return { ok: true, status: { ...lease.status, hold: renewed }, hold: renewed };
}

/** A second renewal within this time says nothing new. */
const SAME_MOMENT_MS = 1_000;

/**
 * The time left of `hold`, whose last renewal was written at most `agoMs` ago, if `renewed` differs only in time and count and comes right
 * after, so that it need not be written; undefined if it must be. However often a pod renews, its klease is written once a second. The arbiter
 * counts silence from the last written renewal, and so must the holder. `agoMs` is measured, never taken from a time of day.
 */
export function leftUnwrittenMs(hold: Hold, renewed: Hold, agoMs: number): number | undefined {
  const { expiresMs, renewals, ttlMs } = hold;
  const isSame = isDeepStrictEqual({ ...renewed, expiresMs, renewals }, hold);
  return hold.confirmed && isSame && agoMs < SAME_MOMENT_MS ? ttlMs - agoMs : undefined;
}

/** Why a hold may not be renewed any more; undefined if it may. */
function limitOf(
  { spec }: Pick<Lease, "spec">,
  hold: Hold,
  { renew, maxHoldMs }: HoldLimits,
  nowMs: number,
): RenewalLimit | undefined {
  if (!spec.renewable || !renew) return "NotRenewable";
  return maxHoldMs !== undefined && nowMs - hold.acquiredMs >= maxHoldMs ? "MaxHold" : undefined;
}

/** Whether a pod of the Job may start, or start again, under `hold`. That renews the hold, unless the pod is the first. */
export function mayJoin(lease: Lease, hold: Hold, limits: HoldLimits, nowMs: number): boolean {
  return !hold.confirmed || limitOf(lease, hold, limits, nowMs) === undefined;
}

function holderChange(hold: Hold, renewal: Renewal): Partial<Hold> {
  const keeper = keeperAfter(hold, renewal);
  return {
    ref: {
      ...(keeper.releasing ? hold.ref : unstopped(hold.ref)),
      ...defined({ node: hold.ref.node ?? renewal.node }),
    },
    ...defined({ gateRun: renewal.gateRun ?? hold.gateRun }),
    ...keeper,
  };
}

function memberChange(hold: Hold, renewal: Renewal, pod: Omit<HolderPod, "releasing">): Partial<Hold> {
  const before = memberOf(hold, pod.uid);
  // This view of the pod may be older than the one on record.
  const known = defined({ node: pod.node ?? before?.node, gateRun: renewal.gateRun ?? before?.gateRun });
  const keeper = keeperAfter(before, renewal);
  const end =
    keeper.releasing && before
      ? defined({ stoppingSinceMs: before.stoppingSinceMs, graceSeconds: before.graceSeconds })
      : {};
  return { pods: [...othersThan(hold, pod.uid), { ...pod, ...known, ...end, ...keeper }] };
}

/**
 * What is known of the keeper after a renewal. A keeper that was asked to stop may renew until it has stopped, so only one that began later
 * shows that a keeper runs. A repeated confirmation shows nothing.
 */
function keeperAfter(
  known: Pick<Hold, "gateRun" | "keeperSince" | "releasing"> | undefined,
  { gateRun, keeperSince }: Renewal,
): Pick<Hold, "keeperSince" | "releasing"> {
  const isRepeated = gateRun !== undefined && gateRun === known?.gateRun;
  const isStopping =
    known?.releasing &&
    known.keeperSince !== undefined &&
    !isLaterRun(keeperSince ?? gateRun, known.keeperSince);
  return known && (isRepeated || isStopping)
    ? { releasing: known.releasing, ...defined({ keeperSince: known.keeperSince }) }
    : { releasing: false, ...defined({ keeperSince }) };
}

/**
 * Whether the renewal is outdated: a later run of its pod's gate has confirmed since; or a gate sent it and a keeper has spoken since, so
 * no gate is left to answer; or an earlier keeper sent it. A keeper that was asked to stop still renews.
 */
function isOutdated(hold: Hold, { uid, gateRun, keeperSince }: Renewal): boolean {
  const known = runOf(hold, uid);
  const word = { uid, ...defined({ keeperSince: gateRun ?? keeperSince }) };
  return gateRun === undefined && known.releasing
    ? isEarlierRun(keeperSince, known.gateRun)
    : isOutdatedWord(hold, word);
}

/** A pod of the Job that holds may join the hold by its gate's confirmation alone. */
function joinedHold(lease: Lease, { token, gateRun, shared }: Renewal): Hold | undefined {
  const hold = openHoldOf(lease, shared?.job);
  return gateRun !== undefined && hold?.token === token ? hold : undefined;
}

/** Holders renew every third or every half of their ttl. A silence beyond this share means trouble. */
const LATE_AFTER_TTL = 2 / 3;

/** How much of the ttl of `old` was left when `renewed` came; below 0 if none. By the time of day, so for people only. */
export function leftMs(old: Hold, renewed: Hold): number {
  return old.expiresMs - (renewed.expiresMs - renewed.ttlMs);
}

/** The silence between `old` and `renewed` if it was too long for comfort, else 0. By the time of day, so for people only. */
export function lateRenewalMs(old: Hold, renewed: Hold): number {
  if (renewed.renewals === old.renewals) return 0;
  const silentMs = renewed.expiresMs - renewed.ttlMs - (old.expiresMs - old.ttlMs);
  return silentMs > LATE_AFTER_TTL * old.ttlMs ? silentMs : 0;
}
