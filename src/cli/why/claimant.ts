/** A pod, or a Job that waits as a whole, and its place at the klease. Pure. */
import { describeTurn } from "../../lease/forecast.ts";
import {
  ALREADY_DONE,
  DONE_WITHOUT_JOB,
  describeDone,
  describeDoneWithoutJob,
  doneWork,
} from "../../lease/once.ts";
import { isWaiting, NOT_CONFIRMED } from "../../lease/order.ts";
import { heldBack } from "../../lease/policies/held-back.ts";
import { describeQueueFull, QUEUE_FULL } from "../../lease/policies/max-waiting.ts";
import type { ClaimantRef, Hold, Lease, LeaseRequest, PastHold } from "../../lease/types.ts";
import { GET_PODS } from "../../shared/names.ts";
import { ifKnown, type Known } from "../known.ts";
import { type Explanation, explanation } from "./explanation.ts";
import type { Facts } from "./facts.ts";
import { holderSentences } from "./holder-sentences.ts";
import { describePlace, placeOf } from "./place.ts";
import { atAndAge, capital, duration, lastRenewal, named, unreadSentence } from "./wording.ts";

export interface Asking {
  facts: Facts;
  lease: string;
  /** Since when it could have asked. */
  askedSinceMs: number;
  gateLog?: Known<string> | undefined;
}

/** konductor answers within a fraction of this. */
const ANSWERS_WITHIN_MS = 10_000;

/** What is to be said of a claimant that wants the klease, or has it. */
export function explainClaimant(claimant: ClaimantRef, asking: Asking): Explanation {
  const { facts, lease: name } = asking;
  const who = named(claimant);
  const lease = ifKnown(facts.lease);
  const hold = lease?.status.hold;
  if (lease && hold?.ref.uid === claimant.uid) return explainHold(who, lease, hold, facts);
  const requests = ifKnown(facts.requests) ?? [];
  const own = requests.find(({ spec, terminating }) => spec.ref?.uid === claimant.uid && !terminating);
  if (facts.lease.is === "missing") return leaseMissing(who, asking);
  if (facts.requests.is !== "known") {
    return explanation(
      "Unknown",
      [
        ...unreadSentence(facts.requests, `Which place ${who} has in the queue of klease ${name}`),
        ...describeLease(name, lease, facts),
      ],
      { lease: name },
    );
  }
  if (!own) return unanswered(who, lease, asking);
  if (own.status.phase === "Denied") return denied(who, own, name, lease);
  if (!isWaiting(own)) return granted(who, own, name, facts);
  return waiting(who, own, lease, facts);
}

function explainHold(who: string, lease: Lease, hold: Hold, { nowMs, namespace }: Facts): Explanation {
  const { name } = lease;
  const since = `since ${atAndAge(hold.acquiredMs, nowMs)}, under token ${hold.token}`;
  if (!hold.confirmed) {
    return explanation(
      "Granted",
      [
        `${capital(who)} was granted klease ${name} at ${atAndAge(hold.acquiredMs, nowMs)}, and does not wait for it any more: konductor waits for its answer.`,
      ],
      { lease: name },
    );
  }
  if (hold.expired || hold.revoked || hold.unreachable) {
    const why = hold.revoked
      ? `konductor has taken it away (${hold.revoked})`
      : `its keeper has not renewed it in time, by ${atAndAge(hold.expiresMs, nowMs)}`;
    return explanation(
      "Lost",
      [
        `${capital(who)} has held klease ${name} ${since}, and loses it: ${why}.`,
        `See kubectl describe klease ${name} -n ${namespace}.`,
      ],
      { lease: name },
    );
  }
  const { waiters } = lease.status;
  const others = waiters === 0 ? "nobody waits" : waiters === 1 ? "one waits" : `${waiters} wait`;
  return explanation(
    "Holds",
    [
      `${capital(who)} does not wait: it holds klease ${name} ${since}, and ${lastRenewal(hold, nowMs)}; ${others} for it.`,
    ],
    { lease: name },
  );
}

function leaseMissing(who: string, { lease, facts: { namespace } }: Asking): Explanation {
  return explanation(
    "LeaseMissing",
    [
      `${capital(who)} waits for klease ${lease}, which does not exist.`,
      `konductor creates it in a moment, unless it does not answer (${GET_PODS}), or was told not to (--create-missing-leases=false).`,
      `To create it: koncli lease create ${lease} --ttl 10m -n ${namespace}.`,
    ],
    { lease },
  );
}

/** It has no request, so konductor has not heard of it. */
function unanswered(
  who: string,
  lease: Lease | undefined,
  { facts, askedSinceMs, lease: name, gateLog }: Asking,
): Explanation {
  const about = { lease: name };
  const { nowMs } = facts;
  if (nowMs - askedSinceMs < ANSWERS_WITHIN_MS) {
    return explanation(
      "Starting",
      [`${capital(who)} is about to join the queue of klease ${name}.`, ...describeLease(name, lease, facts)],
      about,
    );
  }
  const logged = gateLog && ifKnown(gateLog);
  return explanation(
    "Unanswered",
    [
      `${capital(who)} should have been in the queue of klease ${name} since ${atAndAge(askedSinceMs, nowMs)}, and has no LeaseRequest: konductor does not answer it.`,
      ...(logged ? [`Its gate says: "${logged}".`] : []),
      ...(gateLog ? unreadSentence(gateLog, "What its gate says") : []),
      `Check that konductor runs (koncli doctor), and that pods of this namespace can reach it.`,
      ...describeLease(name, lease, facts),
    ],
    about,
  );
}

function denied(
  who: string,
  { status, spec }: LeaseRequest,
  lease: string,
  klease: Lease | undefined,
): Explanation {
  if (status.reason === "Skipped") {
    return explanation(
      "Skipped",
      [`${capital(who)} does not wait: its Job is skipped for klease ${lease}, and ends without having run.`],
      { lease },
    );
  }
  if (status.reason === ALREADY_DONE) {
    const done = describeDone(spec.once ?? "", klease && doneWork(klease.status, spec.once));
    return explanation(
      "AlreadyDone",
      [`${capital(who)} does not wait: under klease ${lease} ${done}, so it ends without having run.`],
      { lease },
    );
  }
  const why =
    status.reason === "TimedOut"
      ? `it has waited for ${duration((spec.waitUntilMs ?? spec.requestedAtMs) - spec.requestedAtMs)}, its wait-timeout`
      : status.reason === "Held"
        ? "it was not free, and if-held: fail does not wait"
        : status.reason === QUEUE_FULL
          ? describeQueueFull(klease)
          : status.reason === DONE_WITHOUT_JOB
            ? describeDoneWithoutJob({ spec }, klease)
            : "konductor refused the request";
  return explanation("NotGranted", [`${capital(who)} was not granted klease ${lease}: ${why}.`], { lease });
}

/** Its request says that it was granted, and the klease does not show it as its holder (any more), or may not be read. */
function granted(who: string, { status }: LeaseRequest, name: string, facts: Facts): Explanation {
  const past = pastHold(ifKnown(facts.lease), status.token);
  if (facts.lease.is === "unread") {
    return explanation(
      "Granted",
      [
        `${capital(who)} was granted klease ${name}, as its LeaseRequest says.`,
        ...unreadSentence(facts.lease, "The klease itself"),
      ],
      { lease: name },
    );
  }
  const how = past
    ? ` at ${atAndAge(past.endedMs, facts.nowMs)} (${past.reason}${past.by === undefined ? "" : ` by ${past.by}`})`
    : "";
  return explanation(
    "Lost",
    [
      `${capital(who)} was granted klease ${name} under token ${status.token ?? "unknown"}, and that hold is over${how}.`,
    ],
    { lease: name },
  );
}

/** The hold of this token, if it is among the last ten. */
export function pastHold(lease: Lease | undefined, token: number | undefined): PastHold | undefined {
  return lease?.status.history.find((past) => past.token === token);
}

function waiting(who: string, own: LeaseRequest, lease: Lease | undefined, facts: Facts): Explanation {
  const { nowMs, requests } = facts;
  const { lease: name, requestedAtMs, waitUntilMs } = own.spec;
  const place = placeOf(lease, ifKnown(requests) ?? [], own);
  const hold = lease?.status.hold;
  const where = place ? `, ${describePlace(place, own, lease)}` : "";
  const head = `${capital(who)} has waited for klease ${name} since ${atAndAge(requestedAtMs, nowMs)}${where}.`;
  const more = { lease: name, ...(place && { place }) };
  const limit =
    waitUntilMs !== undefined && waitUntilMs > requestedAtMs
      ? [`Its wait-timeout ends its waiting at ${atAndAge(waitUntilMs, nowMs)}.`]
      : [];
  const turn = lease && place && describeTurn(lease, place.position, nowMs);
  const forecast = turn ? [`Its turn probably comes ${turn}, as the last holds have lasted.`] : [];
  const passedOver =
    own.status.reason === NOT_CONFIRMED
      ? [
          own.spec.ref?.kind === "Job"
            ? "It was granted before and could not be resumed, so others are served until konductor tries again; see konductor's log."
            : "It was granted before and did not answer, so it is passed over until its gate asks again; see the log of its gate, or konductor's if the pod has no node.",
        ]
      : [];
  if (!lease)
    return explanation(
      "Waiting",
      [head, ...unreadSentence(facts.lease, "Who holds it"), ...limit, ...passedOver],
      more,
    );
  if (hold)
    return explanation(
      "Waiting",
      [
        ...[head, ...holderSentences(lease, hold, facts), ...ruleSentences(lease, facts)],
        ...[...forecast, ...limit, ...passedOver],
      ],
      more,
    );
  return explanation(
    "Waiting",
    [head, ...nobodyHolds(lease, own, facts, passedOver.length > 0), ...limit, ...passedOver],
    more,
  );
}

function nobodyHolds(lease: Lease, own: LeaseRequest, facts: Facts, isPassedOver: boolean): string[] {
  const { terminating, name } = lease;
  const { nowMs } = facts;
  if (terminating)
    return ["Nobody holds it, and it is not granted while it is being deleted: see its finalizers."];
  if (lease.status.awaited !== undefined) return [`Nobody holds it, but ${lease.status.awaited}.`];
  const rules = ruleSentences(lease, facts);
  if (isPassedOver || rules.length > 0) return ["Nobody holds it.", ...rules];
  const isLate = nowMs - own.spec.requestedAtMs > ANSWERS_WITHIN_MS;
  return isLate
    ? [
        `Nobody holds it, so somebody should have been granted it long ago: konductor's arbiter does not answer. Check that it runs (koncli doctor). If klease ${name} was deleted lately, its first grant waits for whoever may still run.`,
      ]
    : ["Nobody holds it: the next is granted in a moment."];
}

/** What keeps the klease from the next, beside its holder, and what ends that. */
function ruleSentences(lease: Lease, { nowMs, namespace }: Facts): string[] {
  const rule = heldBack(lease, nowMs);
  if (!rule) return [];
  const undo = rule.undo === undefined ? "" : `; to end that: ${rule.undo} -n ${namespace}`;
  return [`It is ${rule.why}${lease.status.hold ? ", so nobody is granted it afterwards" : ""}${undo}.`];
}

function describeLease(name: string, lease: Lease | undefined, facts: Facts): string[] {
  const hold = lease?.status.hold;
  if (lease && hold) return holderSentences(lease, hold, facts);
  return lease ? [`Nobody holds klease ${name}.`] : unreadSentence(facts.lease, `Who holds klease ${name}`);
}
