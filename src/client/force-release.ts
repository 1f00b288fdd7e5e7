import { LEASES } from "../kube/resources.ts";
import { parseLease } from "../lease/codec.ts";
import { holdOf } from "../lease/hold.ts";
import type { Hold, Lease } from "../lease/types.ts";
import { hasCode } from "../shared/errors.ts";
import { FORCE_RELEASE_ANNOTATION } from "../shared/names.ts";
import { type ClientContext, findLease, followLease } from "./client-context.ts";
import { isAnotherHold, konductorDown, noLease } from "./sentences.ts";
import type { ForcedReleaseOptions, ForceReleased } from "./types.ts";
import { within } from "./within.ts";

const ANSWER_WITHIN_MS = 10_000;
/** How long to wait for the holder's end before reporting that proof is awaited. */
const PROOF_WITHIN_MS = 5_000;
const TRIES = 10;

/** See {@link LeaseClient.forceRelease}. */
export async function forceRelease(
  context: ClientContext,
  { lease: name, now, token, signal: stop }: ForcedReleaseOptions,
): Promise<ForceReleased> {
  const revoked = await revoke(context, name, now, token);
  if (!revoked) return { state: "free" };
  const { lease, hold } = revoked;
  const claim = { uid: hold.ref.uid, token: hold.token };
  const scope = new AbortController();
  const signal = stop ? AbortSignal.any([stop, scope.signal]) : scope.signal;
  const klease = followLease(context, name, scope.signal, lease);
  const stateOf = (seen: Lease | undefined) => {
    const found = holdOf(seen, claim);
    return !found ? "over" : found.revoked === "Forced" ? "awaitingProof" : undefined;
  };
  const until = (ms: number, wanted: (state: ReturnType<typeof stateOf>) => boolean) =>
    within(context.clock, ms, signal, (limit) =>
      klease.until((objects) => {
        const state = stateOf(objects.get(name));
        return wanted(state) ? state : undefined;
      }, limit),
    );
  try {
    const first = await until(ANSWER_WITHIN_MS, (state) => state !== undefined);
    if (first !== "awaitingProof") return { state: first ?? "unanswered", hold };
    const last = await until(PROOF_WITHIN_MS, (state) => state === "over");
    return { state: last ?? first, hold };
  } finally {
    scope.abort();
  }
}

/** Tells konductor to end one hold: that with `token`, or else that of the klease as it is first read here. A later one is never ended. */
async function revoke(
  context: ClientContext,
  name: string,
  now: boolean,
  wanted: number | undefined,
): Promise<{ lease: Lease; hold: Hold } | undefined> {
  const { client, namespace } = context;
  let token = wanted;
  for (let tries = 1; ; tries++) {
    const lease = await findLease(context, name);
    if (!lease) throw noLease(name, namespace);
    const { hold } = lease.status;
    if (token !== undefined && hold?.token !== token) throw isAnotherHold(lease, token);
    if (!hold) return undefined;
    token = hold.token;
    const annotations = now && { annotations: { [FORCE_RELEASE_ANNOTATION]: JSON.stringify({ now }) } };
    const patch = {
      metadata: { resourceVersion: lease.resourceVersion, ...annotations },
      status: { phase: "Available", holder: "" },
    };
    try {
      const patched = await client.patch(LEASES, { namespace, name }, patch, { type: "merge" }, parseLease);
      return { lease: patched, hold };
    } catch (error) {
      // A renewal came between, or the hold has ended.
      if (!hasCode(error, "Conflict") || tries === TRIES) throw konductorDown(name, error);
    }
  }
}
