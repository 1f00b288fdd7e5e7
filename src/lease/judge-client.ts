/** Whether the hold of a client (koncli, kubectl) goes on. */

import { defined } from "../shared/json.ts";
import { isLimit, over, overWith, type Situation, step, type Verdict, type Write } from "./decision.ts";
import { holdTtlMs } from "./grant.ts";
import { changeHold, forcedRelease } from "./hold.ts";
import { renewHold } from "./hold-renewal.ts";
import { judgeSilence, judgeUnconfirmed, silenceLeftMs } from "./judge-pod.ts";
import type { Hold, LeaseRequest } from "./types.ts";

export function judgeClient(situation: Situation, hold: Hold): Verdict {
  if (forcedRelease(situation.lease, hold)) return over("Forced");
  const request = situation.requests.find(({ uid }) => uid === hold.ref.uid);
  // Its command has ended with 0. The client keeps the request until the klease shows that.
  if (request?.spec.succeeded === hold.token) return overWith("Released", true);
  if (request?.terminating || situation.isRequestGone(hold.ref.uid)) return over("Released");
  const isUnseen = request === undefined;
  if (isUnseen && !situation.isStuck("look", hold.ref.uid)) return step({ do: "look", at: hold.ref });
  if (hold.expired) return lookBefore(situation, hold, situation.timers.expiredForMs) ?? over("Expired");
  const verdict = hold.confirmed
    ? judgeSilence(situation, hold, Number.POSITIVE_INFINITY)
    : judgeUnconfirmed(situation, hold, false);
  const isExpiring = hold.confirmed && isLimit(verdict);
  const lookFirst = isExpiring ? lookBefore(situation, hold, -silenceLeftMs(situation, hold)) : undefined;
  // The webhook never lets renewTime go back, so an earlier one comes from a cache that lags.
  if (isUnseen || (request.spec.renewTimeMs ?? 0) <= (hold.renewTimeMs ?? 0)) return lookFirst ?? verdict;
  const answer = renewClient(situation, hold, request);
  // Refused renewals never keep the hold from expiring, however fast they come; nor do renewals whose trace cannot be written.
  const isRenewed = answer.why === "Renewed" && !situation.isStuck("trace", request.uid);
  return isRenewed || !isLimit(verdict) ? step(answer) : (lookFirst ?? verdict);
}

/**
 * A look at the request of work that is done once, unless one began within `withinMs`: a client that has said that its work has succeeded
 * renews no more, and the cache may not show its word.
 */
function lookBefore(situation: Situation, { once, ref }: Hold, withinMs: number): Verdict | undefined {
  const isSeen = once === undefined || situation.lookedAgoMs(ref.uid) <= withinMs;
  return isSeen || situation.isStuck("look", ref.uid) ? undefined : step({ do: "look", at: ref });
}

/** Its client has asked for a renewal, or confirms the grant. A refusal is an answer too, and renews nothing. */
function renewClient({ lease, nowMs }: Situation, hold: Hold, request: LeaseRequest): Write {
  const { renewTimeMs } = request.spec;
  const renewal = {
    uid: hold.ref.uid,
    token: hold.token,
    // A client does not check whether its ttl has become shorter.
    countedTtlMs: hold.ttlMs,
    wantedTtlMs: holdTtlMs(lease, request.spec.ttlMs, undefined),
    renew: true,
  };
  const renewed = renewHold(lease, renewal, nowMs);
  const status = renewed.ok ? renewed.status : lease.status;
  return {
    do: "write",
    status: changeHold(status, defined({ renewTimeMs })),
    why: renewed.ok ? "Renewed" : "NotRenewed",
    trace: request,
  };
}
