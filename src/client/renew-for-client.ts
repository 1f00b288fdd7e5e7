import { isUsable } from "../lease/hold.ts";
import type { Hold, Lease } from "../lease/types.ts";
import { hasCode } from "../shared/errors.ts";
import { type ClientContext, findLease, findRequest, followLease } from "./client-context.ts";
import { clientHold } from "./grant.ts";
import { renewHold } from "./renewal.ts";
import { noLease, notHolder, notOurs, notRenewable, unanswered } from "./sentences.ts";
import { lossOf } from "./standing.ts";
import type { ClientHold, NamedHolder } from "./types.ts";
import { within } from "./within.ts";

const ANSWER_WITHIN_MS = 10_000;

/** See {@link LeaseClient.renew}. */
export async function renew(
  context: ClientContext,
  { lease: name, holder, signal: stop, timeoutMs = ANSWER_WITHIN_MS }: NamedHolder & { timeoutMs?: number },
): Promise<ClientHold> {
  const lease = await findLease(context, name, stop);
  if (!lease) throw noLease(name, context.namespace);
  const hold = holdOfHolder(lease, holder);
  if (!isUsable(lease, hold)) throw lossOf(name, lease, { uid: hold.ref.uid, token: hold.token });
  if (!lease.spec.renewable && hold.confirmed) throw notRenewable(name);
  const scope = new AbortController();
  const signal = stop ? AbortSignal.any([stop, scope.signal]) : scope.signal;
  const klease = followLease(context, name, scope.signal, lease);
  try {
    const renewed = await within(context.clock, timeoutMs, signal, (until) =>
      renewHold(context, { lease: name, hold }, klease, until),
    );
    if (!renewed) throw unanswered(name, timeoutMs, "so nobody knows whether it was renewed");
    return clientHold({ lease: name, holder }, renewed.hold, renewed.sentMs);
  } catch (error) {
    throw await explainForbidden(context, hold, error);
  } finally {
    scope.abort();
  }
}

/** The hold of the client that calls itself `holder`. Throws `NotHolder`, which says who has it. */
export function holdOfHolder(lease: Lease, holder: string): Hold {
  const { hold } = lease.status;
  if (hold?.ref.kind !== "LeaseRequest" || hold.holder !== holder) throw notHolder(lease.name, holder, lease);
  return hold;
}

/** Turns Forbidden into `NotHolder` where the request is another user's: then no rights are missing. */
export async function explainForbidden(
  context: ClientContext,
  { ref, token }: Hold,
  error: unknown,
): Promise<unknown> {
  if (!hasCode(error, "Forbidden")) return error;
  const request = await findRequest(context, ref.name);
  const isOthers = request?.uid === ref.uid && request.spec.requestedBy !== (await context.user());
  return isOthers ? notOurs(request.spec, token) : error;
}
