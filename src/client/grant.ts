/** From a request to a hold that is confirmed. */
import { LEASE_REQUESTS } from "../kube/resources.ts";
import { parseLeaseRequest } from "../lease/codec.ts";
import { doneWork, isAlreadyDone } from "../lease/once.ts";
import { NOT_CONFIRMED, wasGranted } from "../lease/order.ts";
import { QUEUE_FULL } from "../lease/policies/max-waiting.ts";
import type { Hold, Lease, LeaseRequest } from "../lease/types.ts";
import { hasCode, KonductorError } from "../shared/errors.ts";
import { type ClientContext, findLease, followLease } from "./client-context.ts";
import { type Followed, follow } from "./follow.ts";
import { extendWait, type Place, waitUntilMs, withdraw } from "./place-request.ts";
import { renewHold } from "./renewal.ts";
import {
  alreadyDone,
  heldByAnother,
  isTransient,
  noLease,
  queueFull,
  timedOut,
  unanswered,
  withdrawn,
} from "./sentences.ts";
import type { ClientHold, Wish } from "./types.ts";
import { within } from "./within.ts";

/** How long konductor may take to answer one try or a confirmation: another arbiter may have to be elected. */
const ANSWER_WITHIN_MS = 20_000;
const EXTEND_EVERY_MS = 300_000;
const EXTEND_RETRY_MS = 20_000;
/** The klease is read if its watch lags this far behind a request that shows a grant, which must be confirmed within 10 s. */
const LOOK_AFTER_MS = 2_000;

/**
 * Waits for the grant of `place` until `endMs` and confirms it. Resolves with undefined if the grant was taken back or lost before that, so
 * that a new request is needed. If this throws, the request has been withdrawn.
 */
export async function awaitGrant(
  context: ClientContext,
  wish: Wish,
  place: Place,
  { endMs, stop }: { endMs: number; stop: AbortSignal },
): Promise<ClientHold | undefined> {
  const { client, clock, namespace, random } = context;
  const scope = new AbortController();
  const { signal } = scope;
  const klease = followLease(context, wish.lease, signal);
  const { name } = place.request;
  const own = follow({
    ...{ client, clock, namespace, random, signal },
    resource: LEASE_REQUESTS,
    selector: { name },
    parse: parseLeaseRequest,
    from: place.request,
  });
  const waiting: ClientWait = { context, wish, place, klease, own, signal: AbortSignal.any([stop, signal]) };
  try {
    const turn = await waitForTurn(waiting, endMs);
    return turn && (await confirm({ ...waiting, klease: turn.klease }, turn.hold));
  } catch (error) {
    const latest = own.objects?.get(name);
    if (!latest || latest.uid === place.request.uid)
      await withdraw(context, { ...place, ...(latest && { request: latest }) });
    throw error;
  } finally {
    scope.abort();
  }
}

/** A process that waits for its request to be granted. */
interface ClientWait {
  context: ClientContext;
  wish: Wish;
  place: Place;
  klease: Followed<Lease>;
  own: Followed<LeaseRequest>;
  signal: AbortSignal;
}

type End = "denied" | "done" | "over" | "gone";

/** A grant, and the watch that follows the klease from there on. */
interface Turn {
  hold: Hold;
  klease: Followed<Lease>;
}

async function waitForTurn(waiter: ClientWait, endMs: number): Promise<Turn | undefined> {
  const { context, wish, place, klease, own, signal } = waiter;
  const { clock } = context;
  const { name, uid } = place.request;
  const isOneTry = wish.timeoutMs <= 0;
  const ended = new AbortController();

  function granted(objects: ReadonlyMap<string, Lease>): Turn | undefined {
    const lease = objects.get(wish.lease);
    const hold = lease?.status.hold;
    if (hold?.ref.uid === uid) return { hold, klease };
    if (!isOneTry) wish.onWaiting?.({ lease, request: own.objects?.get(name) ?? place.request });
    return undefined;
  }

  function endOf(objects: ReadonlyMap<string, LeaseRequest>): End | undefined {
    const request = objects.get(name);
    if (request?.uid !== uid) return "gone";
    if (isAlreadyDone(request)) return "done";
    const { phase } = request.status;
    return phase === "Denied" ? "denied" : phase === "Expired" ? "over" : undefined;
  }

  const leftMs = isOneTry ? ANSWER_WITHIN_MS : Math.max(0, endMs - clock.monotonicMs());
  const answer = await within(clock, leftMs, AbortSignal.any([signal, ended.signal]), (until) =>
    Promise.race([
      klease.until(granted, until),
      own.until(endOf, until),
      lookUpGrant(waiter, until),
      goOnWaiting(waiter, until),
    ]),
  ).finally(() => ended.abort());
  if (typeof answer === "object") return answer;
  switch (answer) {
    case "done": {
      const { status } = await readLease(waiter);
      throw alreadyDone(wish.lease, wish.once ?? "", doneWork(status, wish.once));
    }
    case "denied":
      if (isOneTry) throw heldByAnother(await readLease(waiter), context.server.nowMs());
      if (own.objects?.get(name)?.status.reason === QUEUE_FULL) throw queueFull(await readLease(waiter));
      return undefined;
    case "over":
      return undefined;
    case "gone":
      return explainAbsence(waiter);
    default:
      if (isOneTry) throw unanswered(wish.lease, leftMs, "so nothing was acquired");
      // A short wait may be over before the watch has shown anything.
      throw klease.trouble ?? timedOut(wish.lease, await lastSeen(waiter), context.server.nowMs());
  }
}

/** Finds a grant that the request shows and a stalled watch of the klease does not. Never resolves without a grant. */
async function lookUpGrant(
  { context, wish, place, own, signal }: ClientWait,
  until: AbortSignal,
): Promise<Turn> {
  const { name, uid } = place.request;
  const isGranted = (request: LeaseRequest | undefined) =>
    request?.uid === uid && request.status.phase === "Granted";
  await own.until((objects) => isGranted(objects.get(name)) || undefined, until);
  for (let delayMs = LOOK_AFTER_MS; ; ) {
    await context.clock.sleep(delayMs, until);
    try {
      const lease = await findLease(context, wish.lease, until);
      const hold = lease?.status.hold;
      if (hold?.ref.uid === uid) return { hold, klease: followLease(context, wish.lease, signal, lease) };
      // That grant is over; the request will show it.
      delayMs = EXTEND_EVERY_MS;
    } catch (error) {
      if (!isTransient(error)) throw error;
    }
  }
}

async function lastSeen({ context, wish, klease }: ClientWait): Promise<Lease | undefined> {
  return klease.objects ? klease.objects.get(wish.lease) : findLease(context, wish.lease);
}

async function readLease({ context, wish }: ClientWait): Promise<Lease> {
  const lease = await findLease(context, wish.lease);
  if (!lease) throw noLease(wish.lease, context.namespace);
  return lease;
}

/** Our request is gone. Resolves with undefined if it was granted, else throws why. */
async function explainAbsence({ context, wish, place }: ClientWait): Promise<undefined> {
  const lease = await findLease(context, wish.lease);
  // It had a grant that we did not see in time; others may have been granted since that was taken back.
  if (wasGranted(place.request, lease) || hadGrant(place.request, lease)) return undefined;
  if (context.server.nowMs() >= (place.request.spec.waitUntilMs ?? Number.POSITIVE_INFINITY))
    throw timedOut(wish.lease, lease, context.server.nowMs());
  throw withdrawn(wish.lease, `somebody has deleted its LeaseRequest ${place.request.name}`);
}

/** Whether the klease remembers that a grant to the holder's name was taken back since the request was made. */
function hadGrant({ spec }: LeaseRequest, lease: Lease | undefined): boolean {
  return (lease?.status.history ?? []).some(
    ({ holder, reason, acquiredMs }) =>
      reason === NOT_CONFIRMED && holder === spec.holder && acquiredMs >= spec.requestedAtMs,
  );
}

/** Extends a wait without end, again and again. Never resolves. */
async function goOnWaiting({ context, wish, place }: ClientWait, signal: AbortSignal): Promise<never> {
  const { clock } = context;
  for (let delayMs = EXTEND_EVERY_MS; ; ) {
    await clock.sleep(delayMs, signal);
    if (wish.timeoutMs !== Number.POSITIVE_INFINITY) continue;
    try {
      const untilMs = waitUntilMs(context, wish, Number.POSITIVE_INFINITY) ?? 0;
      // It may take effect even if no answer comes.
      place.writtenUntilMs = untilMs;
      place.request = await extendWait(context, place.request, untilMs);
      delayMs = EXTEND_EVERY_MS;
    } catch (error) {
      // The watch tells whether the request still exists.
      if (!isTransient(error) && !hasCode(error, "NotFound", "Conflict")) throw error;
      delayMs = EXTEND_RETRY_MS;
    }
  }
}

/**
 * Confirms the grant. A hold that was confirmed before is renewed, because its ttl may be nearly over; if it is not renewable, it is given with
 * the time that it has left.
 */
async function confirm(
  { context, wish, klease, signal }: ClientWait,
  hold: Hold,
): Promise<ClientHold | undefined> {
  const action = (until: AbortSignal) => renewHold(context, { lease: wish.lease, hold }, klease, until);
  const sinceMs = context.clock.monotonicMs();
  try {
    const renewed = await within(context.clock, ANSWER_WITHIN_MS, signal, action);
    if (renewed) return clientHold(wish, renewed.hold, renewed.sentMs);
  } catch (error) {
    if (hasCode(error, "Lost", "Revoked")) return undefined;
    const own = hasCode(error, "NotRenewable") ? klease.objects?.get(wish.lease)?.status.hold : undefined;
    if (!own?.confirmed || own.token !== hold.token) throw error;
    // The confirmation was sent twice, as the first answer was lost. The first confirmed the hold; the second was refused as a renewal.
    if (!hold.confirmed) return clientHold(wish, own, sinceMs);
    if (own.expiresMs > context.server.nowMs()) return clientHold(wish, own);
    throw error;
  }
  const consequence = hold.confirmed
    ? "so nobody knows whether it was renewed"
    : "so its grant was given back";
  throw unanswered(wish.lease, ANSWER_WITHIN_MS, consequence);
}

/** What the caller is given of a hold. `sentMs`: when a renewal was sent, if one was. */
export function clientHold(
  { lease, holder }: { lease: string; holder: string },
  { token, ttlMs, expiresMs, ref }: Hold,
  sentMs?: number,
): ClientHold {
  return { lease, holder, token, ttlMs, expiresMs, request: { name: ref.name, uid: ref.uid }, sentMs };
}

/** The single try was granted, and the grant was taken back before it was confirmed. */
export function lostAtOnce(name: string): KonductorError {
  return new KonductorError(
    "Lost",
    `klease ${name} was granted and lost before that was confirmed; try again`,
  );
}
