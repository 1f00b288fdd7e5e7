/** The LeaseRequest by which a client asks: a new one, or the one that it has already. */

import { randomUUID } from "node:crypto";
import { LEASE_REQUESTS } from "../kube/resources.ts";
import { parseLeaseRequest } from "../lease/codec.ts";
import { isUsable } from "../lease/hold.ts";
import { requestName } from "../lease/naming.ts";
import { isOneTry, isWaiting, wasGranted } from "../lease/order.ts";
import type { LeaseRequest } from "../lease/types.ts";
import { createLeaseRequest, deleteRequest } from "../objects/lease-objects.ts";
import { exponentialBackoff } from "../shared/backoff.ts";
import { hasCode, KonductorError } from "../shared/errors.ts";
import { defined } from "../shared/json.ts";
import { microTime } from "../shared/times.ts";
import { type ClientContext, findLease, findRequest } from "./client-context.ts";
import { persist } from "./persist.ts";
import { isTransient, konductorDown, nameInUse } from "./sentences.ts";
import type { Wish } from "./types.ts";

/** A place in the queue, or the try that stands for it. */
export interface Place {
  request: LeaseRequest;
  /** The latest `waitUntil` that we sent; a later one was written by another process under our name. */
  writtenUntilMs: number;
}

/** What one attempt to take a place has sent. It may have taken effect even if no answer came. */
interface Sent {
  /** Random letters in the request that it creates. */
  readonly clientAttempt: string;
  /** The `waitUntil` to which it has extended a request that was there. */
  extendedUntilMs: number;
}

/** An endless wait is written as this long, and extended again and again, so that a dead client does not stay in the queue. */
const ENDLESS_AHEAD_MS = 600_000;
/** Views of the API server's time may differ, and so may several API servers: a request that is still waited for must not be dropped. */
const CLOCKS_DIFFER_MS = 5_000;
/** Each try finds another request under the name, or none any more. */
const TRIES = 5;
const RETRY = { firstMs: 200, maxMs: 5_000 };
/** How long a client that gives up tries to leave nothing behind. */
const WITHDRAW_FOR_MS = 5_000;

/** The `waitUntil` of a request that is written now; undefined for one try. `endMs`: when the client gives up, monotonic. */
export function waitUntilMs(
  { server, clock }: ClientContext,
  { timeoutMs }: Wish,
  endMs: number,
): number | undefined {
  if (timeoutMs <= 0) return undefined;
  const leftMs = Math.max(0, endMs - clock.monotonicMs()) + CLOCKS_DIFFER_MS;
  return server.nowMs() + Math.round(timeoutMs === Number.POSITIVE_INFINITY ? ENDLESS_AHEAD_MS : leftMs);
}

/** Makes the request wait until `untilMs`. */
export function extendWait(
  { client, namespace, server }: ClientContext,
  { name, uid }: LeaseRequest,
  untilMs: number,
): Promise<LeaseRequest> {
  const patch = { metadata: { uid }, spec: { waitUntil: microTime(untilMs) } };
  const options = { type: "merge", onResponse: server.observe } as const;
  return client.patch(LEASE_REQUESTS, { namespace, name }, patch, options, parseLeaseRequest);
}

/**
 * Takes a place in the queue, or asks once. A client that waits retries until `endMs` while the API server, or konductor's webhook behind
 * it, does not answer. `earlier`: a place of this very process that led to no hold. Throws `Held` where the name is in use. If this throws, the
 * request has been withdrawn.
 */
export async function placeRequest(
  context: ClientContext,
  wish: Wish,
  endMs: number,
  { stop, earlier }: { stop: AbortSignal; earlier?: Place | undefined },
): Promise<Place> {
  const { client, namespace, clock, server, random } = context;
  const { lease, holder, priority, ttlMs, once, pod: clientPod } = wish;
  const name = requestName(lease, { holder });
  const backoff = exponentialBackoff({ ...RETRY, random });
  const sent: Sent = { clientAttempt: randomUUID(), extendedUntilMs: 0 };
  let failures = 0;

  async function place(): Promise<Place | undefined> {
    const untilMs = waitUntilMs(context, wish, endMs);
    const nowMs = server.nowMs();
    const spec = {
      ...{ lease, holder, requestedAtMs: nowMs, waitUntilMs: untilMs ?? nowMs },
      ...defined({ priority, ttlMs, once }),
    };
    try {
      const { clientAttempt } = sent;
      return newPlace(await createLeaseRequest(client, { namespace, name, clientPod, clientAttempt, spec }));
    } catch (error) {
      if (!hasCode(error, "AlreadyExists")) throw error;
    }
    const found = await findRequest(context, name);
    if (!found) return undefined;
    if (found.clientAttempt === sent.clientAttempt) return newPlace(found);
    const isOurs = found.uid === earlier?.request.uid;
    if (!(await isOver(context, wish, found, isOurs)))
      return isOurs ? newPlace(found) : join(context, wish, found, { untilMs, sent });
    await remove(context, found);
    return undefined;
  }

  try {
    for (let tries = 0; tries < TRIES; ) {
      stop.throwIfAborted();
      try {
        const placed = await place();
        if (placed) return placed;
        tries++;
      } catch (error) {
        if (!isTransient(error)) throw error;
        const delayMs = Math.max(backoff(failures++), error.retryAfterMs ?? 0);
        if (clock.monotonicMs() >= endMs) throw konductorDown(lease, error);
        await clock.sleep(delayMs, stop);
      }
    }
  } catch (error) {
    if (failures > 0) await withdrawUnheard(context, name, sent);
    if (earlier) await withdraw(context, earlier);
    throw error;
  }
  throw new KonductorError(
    "Conflict",
    `the LeaseRequest ${name} for klease ${lease} changed each time it was looked at; is ${holder} the name of several processes?`,
  );
}

const newPlace = (request: LeaseRequest): Place => ({
  request,
  writtenUntilMs: request.spec.waitUntilMs ?? 0,
});

/** Whether a request under our name has had its turn, or is for another klease or holder: a new one takes its place. */
async function isOver(
  context: ClientContext,
  wish: Wish,
  request: LeaseRequest,
  isOurs: boolean,
): Promise<boolean> {
  const { uid, spec, status } = request;
  if (spec.lease !== wish.lease || spec.holder !== wish.holder) return true;
  if (status.phase === "Denied" || status.phase === "Expired") return true;
  const lease = await findLease(context, wish.lease);
  const hold = lease?.status.hold;
  if (lease && hold?.ref.uid === uid) return !isUsable(lease, hold);
  if (status.phase === "Pending") return wasGranted(request, lease);
  // It was granted. If the klease has been deleted and created again since, another process of our name may still hold.
  return isOurs || mayJoin(wish, request) || lease?.status.lastToken !== undefined;
}

/** Whether this process may go on with what `request` has. The caller must also compare the users. */
export function mayJoin({ join, pod }: Wish, { clientPod }: LeaseRequest): boolean {
  return join || (pod !== undefined && clientPod === pod);
}

/** Goes on with a request that is there already. `untilMs`: until when to wait. */
async function join(
  context: ClientContext,
  wish: Wish,
  found: LeaseRequest,
  { untilMs, sent }: { untilMs: number | undefined; sent: Sent },
): Promise<Place> {
  const isSameUser = found.spec.requestedBy === (await context.user());
  const isHeld = !isWaiting(found);
  if (!mayJoin(wish, found) || !isSameUser) {
    const hold = (await findLease(context, wish.lease))?.status.hold;
    const itsOwn = hold?.ref.uid === found.uid ? hold : undefined;
    throw nameInUse(found.spec, { isSameUser, isHeld: isHeld || itsOwn !== undefined, hold: itsOwn });
  }
  const isLonger = untilMs !== undefined && untilMs > (found.spec.waitUntilMs ?? Number.POSITIVE_INFINITY);
  if (!isLonger || isHeld || isOneTry(found)) return { request: found, writtenUntilMs: sent.extendedUntilMs };
  sent.extendedUntilMs = untilMs;
  return newPlace(await extendWait(context, found, untilMs));
}

async function remove({ client }: ClientContext, request: LeaseRequest): Promise<void> {
  try {
    await deleteRequest(client, request);
  } catch (error) {
    if (hasCode(error, "Forbidden")) throw nameInUse(request.spec, { isSameUser: false });
    if (!hasCode(error, "NotFound", "Conflict")) throw error;
  }
}

/**
 * Gives up the place, trying for some seconds, unless another process has extended it. A request that cannot be deleted ends by itself, at
 * `waitUntil`.
 */
export async function withdraw(context: ClientContext, { request, writtenUntilMs }: Place): Promise<void> {
  if ((request.spec.waitUntilMs ?? Number.POSITIVE_INFINITY) > writtenUntilMs) return;
  const forMs = WITHDRAW_FOR_MS;
  await persist(context, () => deleteRequest(context.client, request), { forMs }).catch(() => undefined);
}

/** Gives up a place that was taken by what was sent, though no answer said so. */
async function withdrawUnheard(context: ClientContext, name: string, sent: Sent): Promise<void> {
  const forMs = WITHDRAW_FOR_MS;
  const request = await persist(context, () => findRequest(context, name), { forMs }).catch(() => undefined);
  if (!request) return;
  const isOurs = request.clientAttempt === sent.clientAttempt;
  await withdraw(context, isOurs ? newPlace(request) : { request, writtenUntilMs: sent.extendedUntilMs });
}
