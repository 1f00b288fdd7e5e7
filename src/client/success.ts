/** How a client has konductor note that its work, which is done once, has succeeded. */
import { LEASE_REQUESTS } from "../kube/resources.ts";
import type { Lease } from "../lease/types.ts";
import { hasCode, KonductorError } from "../shared/errors.ts";
import { type ClientContext, findLease } from "./client-context.ts";
import { persist } from "./persist.ts";
import { remove, untilOver } from "./release-for-client.ts";
import { releasedBySomebody } from "./standing.ts";
import type { ClientHold, Released } from "./types.ts";

const PATCH_TIMEOUT_MS = 5_000;

/**
 * Writes into the request that the work has succeeded under this very hold, trying until `lost` aborts. From then on konductor notes it, even
 * if it is away just now, or this process dies. Throws `Lost`, or what the API server refuses.
 */
export async function tellSuccess(
  context: ClientContext,
  { lease, request: { name, uid }, token }: ClientHold,
  lost: AbortSignal,
): Promise<void> {
  const { client, namespace, server } = context;
  const patch = { metadata: { uid }, spec: { succeeded: token } };
  const options = { type: "merge", timeoutMs: PATCH_TIMEOUT_MS, onResponse: server.observe } as const;
  lost.throwIfAborted();
  try {
    await persist(context, () => client.patch(LEASE_REQUESTS, { namespace, name }, patch, options), {
      signal: lost,
    });
  } catch (error) {
    throw hasCode(error, "NotFound", "Conflict") ? releasedBySomebody(lease) : error;
  }
}

/**
 * Waits until the klease shows that the hold is over, and the work done. The request stays until then, since it is what tells of the success.
 * Throws `Lost` where the hold ended otherwise before konductor saw it.
 */
export async function awaitNoted(context: ClientContext, hold: ClientHold): Promise<Released> {
  const { lease: name, request, token } = hold;
  const { isOver } = await untilOver(context, name, { uid: request.uid, token });
  if (!isOver) return { isOver };
  const lease = await findLease(context, name);
  await remove(context, request).catch(() => undefined);
  if (lease && !hasNoted(lease, token))
    throw new KonductorError("Lost", `klease ${name} was lost before konductor saw that the work was done`);
  return { isOver };
}

/** Whether the klease says that the work is done, whatever the API server answered to {@link tellSuccess}. Removes the request then. */
export async function isNoted(
  context: ClientContext,
  { lease, request, token }: ClientHold,
): Promise<boolean> {
  const found = await findLease(context, lease).catch(() => undefined);
  if (!found || !hasNoted(found, token)) return false;
  await remove(context, request).catch(() => undefined);
  return true;
}

function hasNoted({ status }: Lease, token: number): boolean {
  return status.done?.some((work) => work.token === token) ?? false;
}
