/** How a hold goes on: its renewals, and the confirmation with which they begin. Pure, as the transitions of hold.ts are. */
import { isDeepStrictEqual } from "node:util";
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
  /** Whether beyond the confirmation. */
  renew: boolean;
  maxHoldMs?: number;
}

export interface Renewal extends HoldClaim, HoldLimits {
  /** What its holder says that it counts with until it is answered. */
  countedTtlMs: number;
  /** What a new hold would get. The holder learns of a shorter one by the answer, and the hold gets it with the renewal after that. */
  wantedTtlMs: number;
  /** There when a gate confirms. */
  gateRun?: string;
  /** There when a keeper renews: since when it runs. */
  keeperSince?: string;
  /** The node that the pod runs on: of one that was granted before it was scheduled nobody knew it. */
  node?: string;
  /** There when a pod renews or confirms the hold of its Job; `job` is missing where it has lost its owner. */
  shared?: {
    job?: { uid: string } | undefined;
    pod: Omit<HolderPod, "gateRun" | "keeperSince" | "releasing">;
  };
}

export type RenewalRefusal =
  | "NotHolder"
  | "Revoked"
  | "NotStarted"
  | "CrashLooping"
  | "MaxHold"
  | "NotRenewable";

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
  // It was never told more than the hold has.
  const countedTtlMs = Math.min(renewal.countedTtlMs, hold.ttlMs);
  const ttlMs = Math.max(countedTtlMs, renewal.wantedTtlMs, othersTtlMs);
  const renewed: Hold = {
    ...hold,
    ttlMs,
    expiresMs: nowMs + ttlMs,
    renewals: isConfirmation ? hold.renewals : hold.renewals + 1,
    confirmed: true,
    ...(renewal.shared ? memberChange(hold, renewal, renewal.shared.pod) : holderChange(hold, renewal)),
  };
  return { ok: true, status: { ...lease.status, hold: renewed }, hold: renewed };
}

/** A second renewal within so short a time says nothing that the first has not. */
const SAME_MOMENT_MS = 1_000;

/**
 * What is left of `hold` where it was renewed just now, and `renewed` would differ by the time alone, so that it need not be written: however
 * often a pod renews, its klease is written once a second. Undefined where it has to be written. The arbiter counts silence from the renewal
 * that was written, and so must the holder.
 */
export function leftUnwrittenMs(hold: Hold, renewed: Hold, nowMs: number): number | undefined {
  const sinceMs = nowMs - (hold.expiresMs - hold.ttlMs);
  const { expiresMs, renewals } = hold;
  const isSame = isDeepStrictEqual({ ...renewed, expiresMs, renewals }, hold);
  return hold.confirmed && isSame && sinceMs >= 0 && sinceMs < SAME_MOMENT_MS ? expiresMs - nowMs : undefined;
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
  // What is known of the pod may be older than what was known before.
  const known = defined({ node: pod.node ?? before?.node, gateRun: renewal.gateRun ?? before?.gateRun });
  const keeper = keeperAfter(before, renewal);
  const end =
    keeper.releasing && before
      ? defined({ stoppingSinceMs: before.stoppingSinceMs, graceSeconds: before.graceSeconds })
      : {};
  return { pods: [...othersThan(hold, pod.uid), { ...pod, ...known, ...end, ...keeper }] };
}

/**
 * What is known of the keeper after a renewal. One that was asked to stop may renew until it has stopped, and only one that began later
 * shows that a keeper runs; a confirmation that is repeated shows nothing.
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
 * Whether it was on its way for long: a later run of its pod's gate has confirmed since, or a keeper has spoken, so that no gate is left to
 * be answered; or the keeper's own word is of the past. A keeper that was asked to stop still renews.
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

/** A holder renews each third of its ttl, or each half of it: beyond this share something is wrong. */
const LATE_AFTER_TTL = 2 / 3;

/** After what silence `renewed` followed `old`, if that was too long for comfort; else 0. By the time of day: for people. */
export function lateRenewalMs(old: Hold, renewed: Hold): number {
  if (renewed.renewals === old.renewals) return 0;
  const silentMs = renewed.expiresMs - renewed.ttlMs - (old.expiresMs - old.ttlMs);
  return silentMs > LATE_AFTER_TTL * old.ttlMs ? silentMs : 0;
}
