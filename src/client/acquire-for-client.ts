import { isUsable } from "../lease/hold.ts";
import { doneWork } from "../lease/once.ts";
import { DEFAULT_TTL_MS, type Lease } from "../lease/types.ts";
import { createLease } from "../objects/lease-objects.ts";
import { hasCode } from "../shared/errors.ts";
import { type ClientContext, findLease, findRequest } from "./client-context.ts";
import { awaitGrant, lostAtOnce } from "./grant.ts";
import { mayJoin, type Place, placeRequest } from "./place-request.ts";
import {
  alreadyDone,
  heldByAnother,
  isTimeout,
  nameInUse,
  noLease,
  timedOut,
  withdrawn,
} from "./sentences.ts";
import type { ClientHold, Wish } from "./types.ts";
import { isAbort } from "./within.ts";

/** See {@link LeaseClient.acquire}. */
export async function acquire(context: ClientContext, wish: Wish): Promise<ClientHold> {
  const { clock } = context;
  const endMs = clock.monotonicMs() + Math.max(0, wish.timeoutMs);
  const stop = wish.signal ?? new AbortController().signal;
  try {
    const lease = await readPatiently(context, wish, { endMs, stop });
    const work = doneWork(lease.status, wish.once);
    if (work) throw alreadyDone(wish.lease, work.key, work);
    wish.onLease?.(lease);
    const ask = (earlier?: Place) => placeRequest(context, wish, endMs, { stop, earlier });
    for (let place = (await ownPlace(context, wish, lease)) ?? (await ask()); ; place = await ask(place)) {
      const granted = await awaitGrant(context, wish, place, { endMs, stop });
      if (granted) return granted;
      if (wish.timeoutMs <= 0) throw lostAtOnce(wish.lease);
      if (clock.monotonicMs() >= endMs)
        throw timedOut(wish.lease, await findLease(context, wish.lease), context.server.nowMs());
    }
  } catch (error) {
    if (isAbort(error, stop)) throw withdrawn(wish.lease, "it was told to stop");
    throw error;
  }
}

/** A client that waits retries while the API server is slow. A server that cannot be reached may be the wrong one: that fails at once. */
async function readPatiently(
  context: ClientContext,
  wish: Wish,
  { endMs, stop }: { endMs: number; stop: AbortSignal },
): Promise<Lease> {
  for (;;) {
    try {
      return await readLease(context, wish, stop);
    } catch (error) {
      if (!isTimeout(error) || context.clock.monotonicMs() >= endMs) throw error;
    }
  }
}

async function readLease(context: ClientContext, wish: Wish, stop: AbortSignal): Promise<Lease> {
  const { client, namespace } = context;
  const { lease: name, create, ttlMs = DEFAULT_TTL_MS } = wish;
  const found = await findLease(context, name, stop);
  if (found) return found;
  if (!create) throw noLease(name, namespace, ", and --create makes it when it is acquired");
  try {
    return await createLease(client, { namespace, name, ttlMs });
  } catch (error) {
    if (!hasCode(error, "AlreadyExists")) throw error;
    return readLease(context, wish, stop);
  }
}

/** The request by which this client has its grant already. Throws `Held` where it is clear without a request that the klease cannot be had. */
async function ownPlace(context: ClientContext, wish: Wish, lease: Lease): Promise<Place | undefined> {
  const { hold } = lease.status;
  if (!hold) return undefined;
  const isOurName = hold.ref.kind === "LeaseRequest" && hold.holder === wish.holder;
  if (!isOurName) {
    if (wish.timeoutMs <= 0) throw heldByAnother(lease, context.server.nowMs());
    return undefined;
  }
  const own = isUsable(lease, hold) ? await findRequest(context, hold.ref.name) : undefined;
  if (own?.uid !== hold.ref.uid) return undefined;
  const isSameUser = own.spec.requestedBy === (await context.user());
  if (!mayJoin(wish, own) || !isSameUser) throw nameInUse(own.spec, { isSameUser, hold });
  return { request: own, writtenUntilMs: 0 };
}
