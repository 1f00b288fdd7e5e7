import { holdOf } from "../lease/hold.ts";
import { requestName } from "../lease/naming.ts";
import type { Hold, Lease } from "../lease/types.ts";
import { deleteRequest } from "../objects/lease-objects.ts";
import { hasCode } from "../shared/errors.ts";
import { type ClientContext, findLease, findRequest, followLease } from "./client-context.ts";
import { persist } from "./persist.ts";
import { explainForbidden, holdOfHolder } from "./renew-for-client.ts";
import { noLease } from "./sentences.ts";
import type { Claim } from "./standing.ts";
import type { ClientHold, NamedHolder, Released } from "./types.ts";
import { within } from "./within.ts";

/** How long a release is tried that the API server cannot take just now. */
const TRY_FOR_MS = 10_000;
/** How long to wait until the klease shows the release. */
const SEEN_WITHIN_MS = 5_000;

/** See {@link LeaseClient.release}. */
export async function release(
  context: ClientContext,
  { lease: name, holder, signal }: NamedHolder,
): Promise<Released> {
  const read = () => findLease(context, name, signal);
  const lease = await persist(context, read, { forMs: TRY_FOR_MS, signal });
  if (await releaseLeftOver(context, lease, { lease: name, holder })) return { isOver: true };
  if (!lease) throw noLease(name, context.namespace);
  const hold = holdOfHolder(lease, holder);
  try {
    await remove(context, hold.ref, signal);
  } catch (error) {
    throw await explainForbidden(context, hold, error);
  }
  return untilOver(context, name, { uid: hold.ref.uid, token: hold.token }, { from: lease, signal });
}

/** Ends a hold of this process. `lost`: aborts when that is over anyway. */
export async function releaseHold(
  context: ClientContext,
  { lease, request, token }: ClientHold,
  lost: AbortSignal,
): Promise<Released> {
  await remove(context, request, lost);
  return untilOver(context, lease, { uid: request.uid, token });
}

/** Deletes the request, trying for some seconds, or until `stop` aborts. It is no failure if somebody was faster. */
export async function remove(
  context: ClientContext,
  { name, uid }: Pick<Hold["ref"], "name" | "uid">,
  stop?: AbortSignal,
): Promise<void> {
  const { client, namespace } = context;
  try {
    await persist(context, () => deleteRequest(client, { namespace, name, uid }), {
      forMs: TRY_FOR_MS,
      signal: stop,
    });
  } catch (error) {
    if (!hasCode(error, "NotFound", "Conflict")) throw error;
  }
}

/** Waits until the klease shows that the claim's hold is over. */
export async function untilOver(
  context: ClientContext,
  name: string,
  claim: Claim,
  { from, signal }: { from?: Lease; signal?: AbortSignal | undefined } = {},
): Promise<Released> {
  const scope = new AbortController();
  const klease = followLease(context, name, scope.signal, from);
  const isOver = (objects: ReadonlyMap<string, Lease>) =>
    holdOf(objects.get(name), claim) === undefined || undefined;
  try {
    const stop = signal ? AbortSignal.any([signal, scope.signal]) : scope.signal;
    const seen = await within(context.clock, SEEN_WITHIN_MS, stop, (until) => klease.until(isOver, until));
    return { isOver: seen === true };
  } finally {
    scope.abort();
  }
}

/**
 * Releases a hold of a klease that has been deleted since: the next klease of that name waits for its end. `lease` is the klease as it is
 * now. Resolves with whether there was such a hold.
 */
async function releaseLeftOver(
  context: ClientContext,
  lease: Lease | undefined,
  { lease: name, holder }: { lease: string; holder: string },
): Promise<boolean> {
  if (lease?.status.lastToken !== undefined) return false;
  const request = await findRequest(context, requestName(name, { holder }));
  if (request?.status.phase !== "Granted") return false;
  await remove(context, request);
  return true;
}
