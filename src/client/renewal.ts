import { LEASE_REQUESTS } from "../kube/resources.ts";
import { parseLeaseRequest } from "../lease/codec.ts";
import { holdOf, isUsable } from "../lease/hold.ts";
import type { Hold, Lease, LeaseRequest } from "../lease/types.ts";
import { hasCode } from "../shared/errors.ts";
import { isoTime } from "../shared/times.ts";
import { type ClientContext, findLease } from "./client-context.ts";
import type { Followed } from "./follow.ts";
import { persist } from "./persist.ts";
import { isTransient, notRenewable } from "./sentences.ts";
import { lossOf, releasedBySomebody } from "./standing.ts";
import { within } from "./within.ts";

/** A renewal, or the confirmation of a grant, that the arbiter has taken into account. */
export interface Renewed {
  hold: Hold;
  /** When it was sent, by the monotonic clock: the hold lasts for its ttl from then on at least. */
  sentMs: number;
}

const PATCH_TIMEOUT_MS = 5_000;
/** A watch may have died silently, so the klease is read this often. */
const LOOK_EVERY_MS = 3_000;

/**
 * Renews a client's `hold`, trying until `signal` aborts. Throws `Lost`, `Revoked` or `NotRenewable` where konductor has refused, and
 * passes on what the API server refuses. `klease` follows the klease called `lease`.
 */
export async function renewHold(
  context: ClientContext,
  { lease, hold }: { lease: string; hold: Hold },
  klease: Followed<Lease>,
  signal: AbortSignal,
): Promise<Renewed> {
  const claim = { uid: hold.ref.uid, token: hold.token };
  /** The last version from before this renewal was handled. A refused renewal leaves `confirmed` and `renewals` as they are here. */
  let before = hold;

  /** The renewed hold; undefined while the arbiter has not seen the renewal of `renewTimeMs`. */
  function judge(seen: Lease | undefined, renewTimeMs: number): Hold | undefined {
    const found = seen && holdOf(seen, claim);
    if (!seen || !found || !isUsable(seen, found)) throw lossOf(lease, seen, claim);
    if ((found.renewTimeMs ?? 0) < renewTimeMs) {
      before = found;
      return undefined;
    }
    if (found.confirmed && (!before.confirmed || found.renewals > before.renewals)) return found;
    throw notRenewable(lease);
  }

  async function read(renewTimeMs: number): Promise<Hold | undefined> {
    try {
      return judge(await findLease(context, lease, signal), renewTimeMs);
    } catch (error) {
      if (!isTransient(error)) throw error;
      return undefined;
    }
  }

  if (klease.objects) judge(klease.objects.get(lease), Number.POSITIVE_INFINITY);
  const { renewTimeMs, sentMs } = await sendRenewal(context, lease, hold, signal);
  for (;;) {
    const look = (objects: ReadonlyMap<string, Lease>) => judge(objects.get(lease), renewTimeMs);
    const seen = await within(context.clock, LOOK_EVERY_MS, signal, (until) => klease.until(look, until));
    const renewed = seen ?? (await read(renewTimeMs));
    if (renewed) return { hold: renewed, sentMs };
  }
}

/** Patches until the API server answers: konductor then learns of the renewal, whatever else happens. */
async function sendRenewal(
  context: ClientContext,
  lease: string,
  { ref: { name, uid } }: Hold,
  signal: AbortSignal,
): Promise<{ renewTimeMs: number; sentMs: number }> {
  const { client, namespace, clock, server } = context;
  const options = { type: "merge", signal, timeoutMs: PATCH_TIMEOUT_MS, onResponse: server.observe } as const;

  function patch(): Promise<LeaseRequest> {
    // konductor's webhook replaces this with its own time, which never ends in 001: so the patch always changes the field.
    const renewTime = isoTime(server.nowMs()).replace("Z", "001Z");
    const body = { metadata: { uid }, spec: { renewTime } };
    return client.patch(LEASE_REQUESTS, { namespace, name }, body, options, parseLeaseRequest);
  }

  // When the first attempt was sent: one whose answer was lost may be the one that konductor took into account.
  const sentMs = clock.monotonicMs();
  try {
    const { spec } = await persist(context, patch, { signal });
    return { renewTimeMs: spec.renewTimeMs ?? 0, sentMs };
  } catch (error) {
    throw hasCode(error, "NotFound", "Conflict") ? releasedBySomebody(lease) : error;
  }
}
