import { find } from "../../../kube/find.ts";
import { LEASES } from "../../../kube/resources.ts";
import { parseLease } from "../../../lease/codec.ts";
import { keyOf, type Lease, type LeaseStatus } from "../../../lease/types.ts";
import { writeLeaseStatus } from "../../../objects/lease-objects.ts";
import { hasCode } from "../../../shared/errors.ts";
import { Refusal } from "../../refusal.ts";
import type { GateApiContext } from "../options.ts";

/** Conflicts with other replicas and the arbiter are rare; this many in a row do not happen. */
const TRIES = 8;

/** What follows from one version of a Lease: a status to write, if any, and the answer once that is done. */
export interface Outcome<T> {
  answer: T;
  write?: LeaseStatus;
  /** Called once `write` is known to have taken effect. */
  onWritten?(): void;
  /** The answer must not rest on a version that may be outdated: if it came from the cache, decide again on a live one. */
  needsLive?: boolean;
}

export interface UpdateOptions {
  /** Start from a live GET instead of the cache. */
  live?: boolean;
}

/** The Lease as the API server has it now; undefined when there is none. */
export function liveLease(
  { client }: Pick<GateApiContext, "client">,
  ref: { namespace: string; name: string },
): Promise<Lease | undefined> {
  return find(client, LEASES, ref, parseLease);
}

/**
 * The one way in which the gate API changes a Lease: read, decide, write to exactly the version that was read, update the cache, and
 * report. When somebody else was faster, read live and decide again. Refuses with NotReady after too many tries, or if the caller has hung
 * up before its turn.
 */
export function updateLease<T>(
  context: UpdateContext,
  ref: { namespace: string; name: string },
  decide: (lease: Lease | undefined) => Outcome<T>,
  options: UpdateOptions = {},
): Promise<T> {
  return context.turns.take(keyOf(ref), () => update(context, ref, decide, options));
}

type UpdateContext = Pick<GateApiContext, "client" | "caches" | "reporter" | "clock" | "turns" | "hasHungUp">;

async function update<T>(
  { client, caches, reporter, clock, hasHungUp }: UpdateContext,
  ref: { namespace: string; name: string },
  decide: (lease: Lease | undefined) => Outcome<T>,
  { live = false }: UpdateOptions,
): Promise<T> {
  let cached = live ? undefined : caches.leases.store.get(keyOf(ref));
  for (let tries = 0; tries < TRIES; tries++) {
    const lease = cached ?? (await liveLease({ client }, ref));
    const { answer, write, onWritten, needsLive } = decide(lease);
    const isDoubtful = needsLive === true && cached !== undefined;
    cached = undefined;
    if (isDoubtful) continue;
    if (!lease || !write) return answer;
    if (hasHungUp?.()) throw new Refusal("NotReady", "the caller has hung up");
    try {
      const written = await writeLeaseStatus(client, lease, write, clock.nowMs());
      onWritten?.();
      caches.leases.apply(written);
      reporter.report(lease, written);
      return answer;
    } catch (error) {
      if (!hasCode(error, "Conflict", "NotFound")) throw error;
    }
  }
  throw new Refusal("NotReady", `klease ${keyOf(ref)} keeps changing; try again`, { retryAfterMs: 1_000 });
}
