/** What a client is told, each in one sentence that says what to do next. */

import { describeDone } from "../lease/once.ts";
import { heldBack } from "../lease/policies/held-back.ts";
import { describeQueueFull } from "../lease/policies/max-waiting.ts";
import type { DoneWork, Hold, Lease, LeaseRequest } from "../lease/types.ts";
import { hasCode, KonductorError } from "../shared/errors.ts";
import { GET_PODS } from "../shared/names.ts";
import { isoTime } from "../shared/times.ts";

/** Who has it, and until when: "web-1 since 2026-01-01T00:00:00Z, until 2026-01-01T00:10:00Z unless it renews". */
export function describeHold(hold: Hold): string {
  const { holder, ref } = hold;
  return `${ref.kind === "LeaseRequest" ? holder : `${ref.kind.toLowerCase()} ${holder}`} ${spanOf(hold)}`;
}

function spanOf({ acquiredMs, expiresMs, expired }: Hold): string {
  const end = expired
    ? "which has expired and is about to end"
    : `until ${wholeSeconds(expiresMs)} unless it renews`;
  return `since ${wholeSeconds(acquiredMs)}, ${end}`;
}

function wholeSeconds(ms: number): string {
  return isoTime(ms).replace(/\.\d+Z$/, "Z");
}

export function noLease(name: string, namespace: string, otherwise = ""): KonductorError {
  return new KonductorError(
    "NotFound",
    `there is no klease "${name}" in namespace ${namespace}; koncli lease list shows what there is${otherwise}`,
  );
}

/** Why `lease` is granted to nobody now, after its name; undefined: nothing is in the way. */
export function standingOf(lease: Lease, nowMs: number): string | undefined {
  const { hold } = lease.status;
  const rule = heldBack(lease, nowMs);
  const parts = [...(hold ? [`is held by ${describeHold(hold)}`] : []), ...(rule ? [`is ${rule.why}`] : [])];
  return parts.length === 0 ? undefined : parts.join(", and ");
}

/** A request that is tried once cannot be granted now. */
export function heldByAnother(lease: Lease, nowMs: number): KonductorError {
  const { name } = lease;
  const who = standingOf(lease, nowMs) ?? "is wanted by others who come first";
  return new KonductorError("Held", `klease ${name} ${who}; wait for it (--wait), or try again later`);
}

/** A request that would wait was turned away. */
export function queueFull(lease: Lease): KonductorError {
  return new KonductorError(
    "QueueFull",
    `klease ${lease.name} cannot be waited for: ${describeQueueFull(lease)}; try again later, or see koncli lease queue ${lease.name}`,
  );
}

/** Somebody claims the klease under the holder's name already, and it may not be us. */
export function nameInUse(
  { lease, holder, requestedBy, requestedAtMs }: LeaseRequest["spec"],
  {
    isSameUser,
    hold,
    isHeld = hold !== undefined,
  }: { isSameUser: boolean; isHeld?: boolean; hold?: Hold | undefined },
): KonductorError {
  const who = isSameUser ? "another process of this user" : `user ${requestedBy ?? "unknown"}`;
  const since = hold ? `, ${spanOf(hold)}` : isHeld ? "" : ` since ${wholeSeconds(requestedAtMs)}`;
  const itself = `koncli lease acquire ${lease} --holder ${holder} --take-over`;
  return new KonductorError(
    "Held",
    `klease ${lease} ${isHeld ? "is held" : "is waited for"} under the name ${holder} by ${who} already${since}; give each process a name of ` +
      `its own (--holder)${isSameUser ? `, or take it over if that process has ended (${itself})` : ""}`,
  );
}

export function timedOut(name: string, lease: Lease | undefined, nowMs: number): KonductorError {
  const standing = lease && standingOf(lease, nowMs);
  const who = standing
    ? `it ${standing}`
    : lease
      ? "others are ahead in the queue, or konductor does not answer"
      : "the klease does not exist any more";
  return new KonductorError(
    "TimedOut",
    `gave up waiting for klease ${name}: ${who}; wait longer (--timeout), or see koncli lease status ${name}`,
  );
}

/** Nothing is left to do. `work`: as the klease remembers it, unless that was forgotten meanwhile. */
export function alreadyDone(name: string, key: string, work: DoneWork | undefined): KonductorError {
  return new KonductorError("AlreadyDone", `under klease ${name} ${describeDone(key, work)}`);
}

/** The success that was to be forgotten is not the last one. */
export function isDoneAnew(name: string, { key, holder, token }: DoneWork): KonductorError {
  return new KonductorError(
    "Conflict",
    `klease ${name} has forgotten nothing: ${JSON.stringify(key)} was done once more meanwhile, by ${holder} under token ${token}; ` +
      "ask again if that is to be forgotten",
  );
}

/** @param why what became of the request. */
export function withdrawn(name: string, why: string): KonductorError {
  return new KonductorError("Withdrawn", `no longer waiting for klease ${name}: ${why}`);
}

/** konductor has not answered; `consequence` says how things stand now. */
export function unanswered(name: string, waitedMs: number, consequence: string): KonductorError {
  return new KonductorError(
    "NotReady",
    `konductor did not answer about klease ${name} within ${Math.round(waitedMs / 1000)} s, ${consequence}; check that it is running (${GET_PODS})`,
  );
}

/** The hold that was to be ended is over. */
export function isAnotherHold({ name, status: { hold } }: Lease, token: number): KonductorError {
  const now = hold ? `it is held by ${describeHold(hold)}, under token ${hold.token}` : "nobody holds it";
  return new KonductorError(
    "Conflict",
    `the hold of klease ${name} with token ${token} is over, and nothing was changed: ${now}`,
  );
}

export function notHolder(name: string, holder: string, lease: Lease): KonductorError {
  const { hold } = lease.status;
  const who = hold ? `it is held by ${describeHold(hold)}` : "nobody holds it";
  return new KonductorError("NotHolder", `klease ${name} is not held by ${holder}: ${who}`);
}

/** The holder's name matches, but the hold is another user's. */
export function notOurs(
  { lease, holder, requestedBy = "unknown" }: LeaseRequest["spec"],
  token: number,
): KonductorError {
  return new KonductorError(
    "NotHolder",
    `klease ${lease} is held as ${holder} by user ${requestedBy}, not by you: ask them to release it, or an admin ` +
      `(koncli lease release ${lease} --force --token ${token})`,
  );
}

export function notRenewable(name: string): KonductorError {
  return new KonductorError(
    "NotRenewable",
    `klease ${name} cannot be renewed (spec.renewable is false): the hold ends when its ttl is over`,
  );
}

/** Whether the same call may succeed a moment later. */
export function isTransient(error: unknown): error is KonductorError {
  return hasCode(error, "Unreachable", "TooManyRequests", "Internal");
}

/** Whether the API server did not answer in time, as opposed to refusing the connection. */
export function isTimeout(error: unknown): boolean {
  return hasCode(error, "Unreachable") && error.cause instanceof Error && error.cause.name === "TimeoutError";
}

/** `error`; where the API server could not call konductor's webhook, the error that konductor is down. */
export function konductorDown(name: string, error: unknown): unknown {
  if (!hasCode(error, "Internal") || !error.message.includes("failed calling webhook")) return error;
  return new KonductorError(
    "NotReady",
    `konductor does not answer, so klease ${name} cannot be asked for; check that it is running (${GET_PODS})`,
    { cause: error },
  );
}
