/**
 * With nothing urgent left, and after each write by which a hold goes on: end holds of a deleted Lease, bring the requests in line, count the
 * waiters, update observedGeneration and conditions, also that of the holder's request, look again at a holder that is not watched. None of
 * these stops another.
 */
import { isDeepStrictEqual } from "node:util";
import type { KubeClient } from "../kube/api.ts";
import { hasAllConditions } from "../lease/conditions.ts";
import type { Situation } from "../lease/decision.ts";
import { isPast } from "../lease/evidence.ts";
import { dueAtMs } from "../lease/follow-ups.ts";
import { podsOf } from "../lease/hold.ts";
import { headOfQueue, isWaiting } from "../lease/order.ts";
import { type ClaimantRef, type HolderRef, keyOf, type Lease } from "../lease/types.ts";
import type { Caches } from "../objects/caches.ts";
import { writeLeaseStatus, writeRequestStatus } from "../objects/lease-objects.ts";
import type { LeaseReporter } from "../objects/lease-reporter.ts";
import type { Clock } from "../shared/clock.ts";
import { LruMap } from "../shared/lru-map.ts";
import type { Align } from "./aligning.ts";
import type { DoneJobs } from "./done-jobs.ts";
import type { Errands } from "./errands.ts";
import { STRAY_FRESH_MS } from "./evidence-store.ts";
import { createLingering } from "./lingering.ts";
import { createMending } from "./mending.ts";
import type { Skips } from "./skips.ts";
import type { Steps } from "./steps.ts";
import { deleteUnrecorded } from "./unrecorded-holders.ts";
import type { WaiterCount } from "./waiter-count.ts";

const REMEMBERED_REQUESTS = 10_000;

export interface SettlingOptions {
  client: KubeClient;
  caches: Caches;
  reporter: LeaseReporter;
  errands: Errands;
  align: Align;
  doneJobs: DoneJobs;
  skips: Skips;
  steps: Steps;
  waiterCount: WaiterCount;
  clock: Clock;
  /** Has the Lease looked at again after so long. */
  wakeAfter(key: string, delayMs: number): void;
}

/** Settles the Lease of a situation in which nobody can be granted it now. */
export type Settle = (situation: Situation) => Promise<void>;

export function createSettling(options: SettlingOptions): Settle {
  const { client, caches, reporter, errands, align, doneJobs, skips, steps, waiterCount, clock, wakeAfter } =
    options;
  const tellLingering = createLingering(options);
  const { mend } = createMending(options);
  /** UIDs of requests whose condition was written, but not stored: their CRD is older. */
  const withoutCondition = new LruMap<string, true>(REMEMBERED_REQUESTS);

  /** Whether the claimant wakes this Lease: with a label changed by hand it wakes another. */
  function isWatched(lease: Lease, { kind, name, uid }: HolderRef): boolean {
    if (kind === "LeaseRequest") return true;
    const watched = (kind === "Job" ? caches.jobs : caches.pods).store.get(`${lease.namespace}/${name}`);
    return watched?.uid === uid && watched.lease === lease.name;
  }

  /** Retries the looks and deletions that no time limit has waited for. */
  async function tryAgain({ lease, requests, evidenceOf, isStuck }: Situation): Promise<void> {
    const isUnseen = (ref: ClaimantRef) => evidenceOf(ref).is === "unknown";
    const claimants = requests.filter(isWaiting).flatMap(({ spec: { ref } }) => ref ?? []);
    const { hold } = lease.status;
    const blind = (hold ? [hold.ref, ...podsOf(hold)] : []).filter(({ uid }) => isStuck("look", uid));
    await errands.runEach([...blind, ...claimants.filter(isUnseen)], (ref) =>
      steps.take({ do: "look", at: ref }, lease),
    );
    await errands.runEach(
      requests.filter(({ uid }) => isStuck("retire", uid)),
      steps.retire,
    );
  }

  function planNextLook({ lease, requests, evidenceOf, nowMs }: Situation): void {
    const key = keyOf(lease);
    // What was due is done by now; the watch wakes for a request that changed meanwhile.
    let nextMs = Number.POSITIVE_INFINITY;
    for (const atMs of requests.map(dueAtMs)) if (atMs >= nowMs) nextMs = Math.min(nextMs, atMs);
    if (Number.isFinite(nextMs)) wakeAfter(key, nextMs - nowMs + 1);
    const { hold } = lease.status;
    const isStray = (ref: HolderRef) => !isWatched(lease, ref) && !isPast(evidenceOf(ref));
    if (hold && [hold.ref, ...podsOf(hold)].some(isStray)) wakeAfter(key, STRAY_FRESH_MS);
  }

  async function count(situation: Situation): Promise<void> {
    const { lease } = situation;
    const key = keyOf(lease);
    const { waiters, next, ...others } = lease.status;
    const head = headOfQueue(lease, situation);
    const isNews = others.observedGeneration !== lease.generation;
    const isComplete = hasAllConditions(lease);
    const isSame = isDeepStrictEqual(head, { waiters, ...(next && { next }) }) && isComplete;
    const isUrgent = isNews || lease.isDoneOutdated;
    if (isSame && !isUrgent) return;
    const dueInMs = waiterCount.dueInMs(key);
    if (dueInMs > 0 && !isUrgent) return wakeAfter(key, dueInMs);
    const write = async () => {
      const written = await writeLeaseStatus(client, lease, { ...others, ...head }, clock.nowMs());
      caches.leases.apply(written);
      reporter.report(lease, written);
      waiterCount.written(key);
    };
    return isComplete || isUrgent ? write() : mend(key, write);
  }

  /** An older konductor has marked the holder's request without its condition, and there is nothing else to be marked as long as it holds. */
  async function showGranted({ lease, requests }: Situation): Promise<void> {
    const { hold } = lease.status;
    const request = requests.find(
      ({ uid, status, granted }) =>
        status.phase === "Granted" &&
        status.token === hold?.token &&
        !granted?.is &&
        !withoutCondition.get(uid),
    );
    if (!hold?.confirmed || !request) return;
    await mend(keyOf(lease), async () => {
      const written = await writeRequestStatus(client, request, request.status, clock.nowMs());
      caches.requests.apply(written);
      if (!written.granted?.is) withoutCondition.set(written.uid, true);
    });
  }

  return async (situation) => {
    const { lease } = situation;
    const run = (what: string, work: () => Promise<void>) =>
      errands.run({ key: keyOf(lease), what, uid: lease.uid }, work);
    await run("end holds of a deleted klease", () => deleteUnrecorded(lease, options));
    await run("end what is done", () => doneJobs.end(situation));
    await run("skip", () => skips.skip(situation));
    await run("bring in line", () => align(situation));
    await tryAgain(situation);
    planNextLook(situation);
    const lingersForMs = tellLingering(situation);
    if (lingersForMs !== undefined) wakeAfter(keyOf(lease), lingersForMs);
    await run("count", () => count(situation));
    await run("show as granted", () => showGranted(situation));
  };
}
