import type { KubeClient } from "../kube/api.ts";
import { listAll } from "../kube/list-pages.ts";
import { LEASE_REQUESTS, LEASES } from "../kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../lease/codec.ts";
import type { Decision, Situation, Step, Write } from "../lease/decision.ts";
import { grantedStatus } from "../lease/grant.ts";
import { aboutHold, aboutLease } from "../lease/log-fields.ts";
import { headOfQueue } from "../lease/order.ts";
import { keyOf, type Lease } from "../lease/types.ts";
import type { Caches } from "../objects/caches.ts";
import { writeLeaseStatus } from "../objects/lease-objects.ts";
import type { LeaseReporter } from "../objects/lease-reporter.ts";
import type { Clock } from "../shared/clock.ts";
import type { Logger } from "../shared/log.ts";
import { LruMap } from "../shared/lru-map.ts";
import { LEASE_LABEL } from "../shared/names.ts";
import type { ArbiterRecorder } from "./arbiter-recorder.ts";
import type { Errands } from "./errands.ts";
import { createHandovers } from "./handovers.ts";
import type { PassedOver } from "./passed-over.ts";
import type { Steps } from "./steps.ts";
import type { WaiterCount } from "./waiter-count.ts";
import type { Waits } from "./waits.ts";

/** After a look at a pod or request: almost at once, but no busy loop if it shows nothing. */
const LOOK_AGAIN_MS = 5;
/** What has just failed may be stuck a moment later. */
const TRY_AGAIN_MS = 250;
const REMEMBERED_LEASES = 10_000;

export interface PerformingOptions {
  client: KubeClient;
  caches: Pick<Caches, "leases" | "requests">;
  reporter: LeaseReporter;
  recorder: Pick<ArbiterRecorder, "handedOver">;
  errands: Errands;
  steps: Steps;
  passedOver: PassedOver;
  waiterCount: WaiterCount;
  waits: Waits;
  clock: Clock;
  logger: Logger;
}

/** When a Lease is to be looked at again: at once, after so many milliseconds, or when something changes. */
export type Again = "now" | number | undefined;

/** Takes the steps that `decide()` names. */
export interface Performing {
  /** Resolves with when to look at the Lease again. Rejects if the write of the Lease is refused. */
  perform(decision: Decision, situation: Situation): Promise<Again>;
  /** Reads the Lease `key` from the API server, if the cache shows one. */
  refresh(key: string): Promise<void>;
  /** Forgets what was read in an earlier term. */
  reset(): void;
}

export function createPerforming(options: PerformingOptions): Performing {
  const { client, caches, reporter, errands, steps, passedOver, waiterCount, waits, clock, logger } = options;
  const handovers = createHandovers(options);
  /** UIDs of never-granted Leases whose requests have been listed live. */
  const listed = new LruMap<string, true>(REMEMBERED_LEASES);

  async function refresh(key: string): Promise<void> {
    const lease = caches.leases.store.get(key);
    if (!lease) return;
    const { namespace, name } = lease;
    caches.leases.apply(await client.get(LEASES, { namespace, name }, parseLease));
  }

  /** Before its first grant: a Lease of this name may have been deleted, and requests tell who was granted that one. */
  async function listRequests({ namespace, name, uid }: Lease): Promise<void> {
    const scope = { namespace, labelSelector: `${LEASE_LABEL}=${name}` };
    for (const request of await listAll(client, LEASE_REQUESTS, scope, parseLeaseRequest))
      caches.requests.apply(request);
    listed.set(uid, true);
  }

  async function write(decision: Write, situation: Situation): Promise<Again> {
    const { lease } = situation;
    const { passOver, trace, status } = decision;
    const key = keyOf(lease);
    const isFirst = decision.granted !== undefined && lease.status.lastToken === undefined;
    if (isFirst && !listed.get(lease.uid)) {
      const isListed = await errands.run({ key, what: "list", uid: lease.uid }, () => listRequests(lease));
      return isListed ? "now" : TRY_AGAIN_MS;
    }
    // Without its trace no hold is confirmed: it could not be known if the Lease were deleted.
    if (trace && status.hold && !(await steps.mark("trace", trace, grantedStatus(trace, status.hold))))
      return TRY_AGAIN_MS;
    const { next: _, ...others } = status;
    const queue = { ...situation, nowMs: clock.nowMs(), passOver };
    const counted = { ...others, ...headOfQueue({ ...lease, status }, queue) };
    const written = await writeLeaseStatus(client, lease, counted, clock.nowMs());
    caches.leases.apply(written);
    waiterCount.written(key);
    const { granted, why } = decision;
    const { hold = lease.status.hold } = written.status;
    const about = { ...aboutLease(written), ...(hold && aboutHold(written, hold)) };
    if (why === "NotRenewed") logger.info({ ...about, reason: why }, "a client's renewal is refused");
    else logger.debug({ ...about, why }, "written");
    reporter.report(lease, written);
    if (granted && hold) {
      waits.granted(granted, hold);
      handovers.granted(written, granted);
    }
    // Only after the write: the cache may not have shown that the hold was confirmed, and the mark overwrites its trace.
    if (passOver) await passedOver.add(passOver);
    return undefined;
  }

  return {
    async perform(decision, situation) {
      const { lease } = situation;
      switch (decision.do) {
        case "wait":
          return decision.forMs;
        case "retire":
          return (await steps.retire(decision.request)) ? "now" : TRY_AGAIN_MS;
        case "write":
          return write(decision, situation);
        default: {
          const { also = [], ...first } = decision;
          const all: readonly Step[] = [first, ...also];
          if (all.some((step) => step.do === "deletePod")) await refresh(keyOf(lease));
          const areDone = await errands.runEach(all, (step) => steps.take(step, lease));
          if (decision.do !== "look") return decision.forMs;
          return areDone ? LOOK_AGAIN_MS : TRY_AGAIN_MS;
        }
      }
    },
    refresh,
    reset: () => listed.clear(),
  };
}
