/**
 * The transitions of a Lease's status, each a pure function from what was read to what is to be written. All of them are
 * written guarded by the resourceVersion that was read, so each happens to exactly the state it was computed from; on a conflict
 * the caller reads again and asks again.
 */
import { isEarlierRun, isLaterRun } from "../shared/gate-run.ts";
import { defined } from "../shared/json.ts";
import { withDone } from "./once.ts";
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
/** As many as the schema allows. */
const HOLDS_REMEMBERED = 64;

/** Two replicas' clocks differ by far less. A larger difference means that a clock was set. */
export const REPLICAS_DIFFER_MS = 1_000;

/** `nowMs`, but not before what another replica wrote a moment ago: the times of one Lease stay in order. */
export function notBefore(writtenMs: number, nowMs: number): number {
  return writtenMs - nowMs < REPLICAS_DIFFER_MS ? Math.max(writtenMs, nowMs) : nowMs;
}

/**
 * The status without its hold, which is noted in the history, and its duration. After a forced release the history names the admin, not `reason`.
 * `hasSucceeded`: the work was proved to have succeeded; if it is to be done once, it is noted as done, unless the hold was taken from its holder
 * before.
 */
export function endHold(
  lease: Pick<Lease, "status" | "forced">,
  reason: EndReason,
  nowMs: number,
  hasSucceeded = false,
): LeaseStatus {
  const { status } = lease;
  const { hold, ...rest } = status;
  if (!hold) return status;
  const { holder, acquiredMs, token } = hold;
  const forced = forcedRelease(lease, hold);
  const ended = { holder, acquiredMs, endedMs: notBefore(acquiredMs, nowMs), token };
  const past: PastHold = { ...ended, reason: forced ? "Forced" : reason, ...defined({ by: forced?.by }) };
  const seconds = Math.round((past.endedMs - past.acquiredMs) / 1_000);
  // What was found out before the hold was revoked for its pods' sake still counts.
  const isProved = hold.succeeded ? hold.revoked !== "Forced" : hasSucceeded && !hold.revoked;
  const isDone = isProved && !forced && hold.once !== undefined;
  return {
    ...rest,
    ...(isDone && { done: withDone(status.done, hold, past.endedMs) }),
    history: [past, ...status.history].slice(0, HISTORY_LENGTH),
    // Before its confirmation nothing can have run.
    ...(hold.confirmed && { lastEndedMs: past.endedMs }),
    holdSeconds: [Math.max(0, seconds), ...status.holdSeconds].slice(0, HOLDS_REMEMBERED),
  };
}

/** Who speaks for a hold: its holder, or a pod that shares its Job's hold. Uid and token must both match. */
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

/** Whether the Lease is held, or held back, as it was in `before`: a renewal, or another number of waiters, changes nothing of that. */
export function isHeldAs(before: Lease, now: Lease): boolean {
  const same = (what: (lease: Lease) => unknown) => what(before) === what(now);
  return (
    same(({ uid }) => uid) &&
    same(({ generation }) => generation) &&
    same(({ status }) => status.hold?.token) &&
    same(({ status }) => status.lastToken)
  );
}

/** The tokens under which the pod holds `lease`, or has lately held it, by itself or with its Job; the latest first. */
export function tokensOf(
  lease: Lease | undefined,
  { name, uid, job }: { name: string; uid: string; job?: { name: string } },
): number[] {
  const { hold, history = [] } = lease?.status ?? {};
  const past = history
    .filter(({ holder }) => holder === name || holder === job?.name)
    .map(({ token }) => token);
  return hold && holdOf(lease, { uid, token: hold.token }) ? [hold.token, ...past] : past;
}

/** Every pod that may be running under it; none where a client holds. */
export function podsOf({ ref, pods }: Hold): readonly HolderRef[] {
  return ref.kind === "Pod" ? [ref] : (pods ?? []);
}

/** The pod of this uid, if it may be running under the hold of its Job. */
export function memberOf({ pods = [] }: Hold, uid: string): HolderPod | undefined {
  return pods.find((pod) => pod.uid === uid);
}

/** Whether `hold`, which `lease` records, can still be used: it has not expired, and nobody has taken it away. */
export function isUsable(lease: Pick<Lease, "forced">, hold: Hold): boolean {
  return !hold.expired && hold.revoked === undefined && forcedRelease(lease, hold) === undefined;
}

/** The hold of `lease` if it is this Job's, and pods of it may be let through. */
export function openHoldOf(lease: Lease | undefined, job: { uid: string } | undefined): Hold | undefined {
  const hold = lease?.status.hold;
  if (!lease || !job || hold?.ref.kind !== "Job" || hold.ref.uid !== job.uid) return undefined;
  return isUsable(lease, hold) ? hold : undefined;
}

/** The pods of the hold but for this one. */
export function othersThan({ pods = [] }: Hold, podUid: string): readonly HolderPod[] {
  return pods.filter(({ uid }) => uid !== podUid);
}

/** The status once nothing of this pod can be running any more. Its Job's hold goes on. */
export function removeMember(status: LeaseStatus, podUid: string): LeaseStatus {
  return status.hold ? changeHold(status, { pods: othersThan(status.hold, podUid) }) : status;
}

/** The status once nothing of this holder can be running any more. If it is a pod that shares its Job's hold, that goes on without it. */
export function endFor(
  lease: Lease,
  uid: string,
  reason: EndReason,
  nowMs: number,
  hasSucceeded = false,
): LeaseStatus {
  const { hold } = lease.status;
  return hold && memberOf(hold, uid)
    ? removeMember(lease.status, uid)
    : endHold(lease, reason, nowMs, hasSucceeded);
}

/** What a keeper says of itself: since when it runs, or was asked to stop. A keeper of 0.1.0 does not say it. */
export interface KeeperWord {
  uid: string;
  keeperSince?: string;
}

/** What is known of a pod that its kubelet is stopping. */
export interface Stopping {
  /** By the API server's time. */
  sinceMs: number;
  /** The longest grace period that its kubelet may count with. */
  graceSeconds: number;
}

/** The status once this pod's keeper was asked to stop, `nowMs` where it had not said so; `stopping` if its whole pod is known to be stopping. Repeating it changes nothing. */
export function markReleasing(
  status: LeaseStatus,
  { uid, keeperSince }: KeeperWord,
  nowMs: number,
  stopping?: Stopping,
): LeaseStatus {
  const { hold } = status;
  if (!hold) return status;
  const mark = { releasing: true, ...defined({ keeperSince }) };
  const member = memberOf(hold, uid);
  if (!member) {
    const releasingMs = hold.releasing ? hold.releasingMs : nowMs;
    return changeHold(status, { ...mark, ...defined({ releasingMs }), ref: stoppedRef(hold.ref, stopping) });
  }
  const marked = { ...stoppedRef(member, stopping), ...mark };
  return changeHold(status, { pods: hold.pods?.map((pod) => (pod === member ? marked : pod)) ?? [] });
}

/** Whether {@link markReleasing} would change nothing. */
export function isMarkedReleasing(
  hold: Hold,
  { uid, keeperSince }: KeeperWord,
  stopping?: Stopping,
): boolean {
  const known = runOf(hold, uid);
  const isSaid = known.releasing && !isLaterRun(keeperSince, known.keeperSince);
  return isSaid && (stopping === undefined || isStopping(hold, uid));
}

/** Whether its kubelet is known to be stopping this pod, which holds or shares `hold`. */
export function isStopping(hold: Hold | undefined, podUid: string): boolean {
  const ref = hold && [hold.ref, ...podsOf(hold)].find(({ uid }) => uid === podUid);
  return ref?.stoppingSinceMs !== undefined;
}

function stoppedRef<T extends HolderRef>(ref: T, stopping: Stopping | undefined): T {
  if (!stopping) return ref;
  return {
    ...ref,
    stoppingSinceMs: ref.stoppingSinceMs ?? stopping.sinceMs,
    graceSeconds: Math.max(ref.graceSeconds ?? 0, stopping.graceSeconds),
  };
}

/** Whether the keeper's word is outdated: its pod's gate has run again since, or a later keeper has spoken. */
export function isOutdatedWord(hold: Hold, { uid, keeperSince }: KeeperWord): boolean {
  const known = runOf(hold, uid);
  return isEarlierRun(keeperSince, known.gateRun) || isEarlierRun(keeperSince, known.keeperSince);
}

/** What is known of the gate and the keeper of a pod that may be running under `hold`. */
export function runOf(hold: Hold, podUid: string): Pick<Hold, "gateRun" | "keeperSince" | "releasing"> {
  return memberOf(hold, podUid) ?? hold;
}

/** The admin's word that this hold is over, if it was given. */
export function forcedRelease(
  { forced }: Pick<Lease, "forced">,
  { token }: Pick<Hold, "token">,
): ForcedRelease | undefined {
  return forced?.token === token ? forced : undefined;
}

/** The holder, once it runs on or runs again. */
export function unstopped({ stoppingSinceMs: _, ...ref }: HolderRef): HolderRef {
  return ref;
}

/** `status` with changes to its hold. */
export function changeHold(status: LeaseStatus, change: Partial<Hold>): LeaseStatus {
  return status.hold ? { ...status, hold: { ...status.hold, ...change } } : status;
}
