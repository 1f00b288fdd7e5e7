/**
 * The arbiter: the one elected replica that grants, expires and watches holders.
 *
 * It keeps no state that matters: each look at a Lease starts from the caches, asks `decide()` for the one next step, takes it, and is
 * woken by the change that the step made. What must not happen twice is a write guarded by the Lease's resourceVersion; what
 * cannot be guarded (deleting a pod) is preceded by a live GET of the Lease and carries a uid precondition. So an arbiter that
 * was paused, and wakes up beside its successor, can at most be refused.
 */
import { isDeepStrictEqual } from "node:util";
import type { KubeClient } from "../kube/api.ts";
import { allCaches, BY_LEASE, BY_NODE, type Caches } from "../kube/caches.ts";
import type { EventRecorder } from "../kube/events.ts";
import { writeLeaseStatus, writeRequestStatus } from "../kube/lease-objects.ts";
import type { LeaseReporter } from "../kube/lease-reporter.ts";
import { deletePod } from "../kube/pod-deletion.ts";
import { LEASE_REQUESTS, LEASES } from "../kube/resources.ts";
import { removeSchedulingGate } from "../kube/scheduling-gate.ts";
import { createWorkQueue } from "../kube/work-queue.ts";
import { parseLease, parseLeaseRequest } from "../lease/codec.ts";
import { decide } from "../lease/decide.ts";
import type { Decision, Situation } from "../lease/decision.ts";
import { isPast } from "../lease/evidence.ts";
import { grantedStatus } from "../lease/grant.ts";
import { holdOf, podsOf } from "../lease/hold.ts";
import { NOT_CONFIRMED, waitingInOrder } from "../lease/order.ts";
import { type HolderRef, keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { describeError, hasCode } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { LruMap } from "../shared/lru-map.ts";
import { LEASE_LABEL } from "../shared/names.ts";
import { createEvidenceStore, STRAY_FRESH_MS } from "./evidence-store.ts";
import { dueAtMs } from "./follow-ups.ts";
import { queueGatedPods } from "./gated-pods.ts";
import { createHoldClock } from "./hold-clock.ts";
import { createHousekeeping } from "./housekeeping.ts";
import { createLapseClock } from "./lapse-clock.ts";
import { readSituation } from "./situation.ts";
import { createSkips } from "./skips.ts";
import { deleteUnrecorded } from "./unrecorded-holders.ts";
import { createWaiterCount } from "./waiter-count.ts";
import { createWaitingJobs } from "./waiting-jobs.ts";

const WORKERS = 8;
/** After a look at a pod or request: at once, and still no busy loop if it shows nothing. */
const LOOK_AGAIN_MS = 5;

/** A Job that could not be changed, for whatever reason. */
const TRY_JOBS_AGAIN_MS = 5_000;

/** Requests for a Lease that does not exist are looked at again so often, where they end by time. */
const LEFT_OVER_LOOK_EVERY_MS = 10_000;

export interface ArbiterOptions {
  client: KubeClient;
  caches: Caches;
  reporter: LeaseReporter;
  events: Pick<EventRecorder, "record">;
  clock: Clock;
  logger: Logger;
  /** Whether a Lease that is waited for is created when there is none. */
  createMissingLeases: boolean;
  /** Where konductor itself runs. */
  systemNamespace: string;
}

export interface Arbiter {
  /** Arbitrates until `signal` aborts: the elector's term. Begins with a consistent look at everything. */
  runTerm(signal: AbortSignal): Promise<void>;
}

export function createArbiter(options: ArbiterOptions): Arbiter {
  const { client, caches, reporter, clock, logger } = options;
  const holdClock = createHoldClock(clock);
  const evidence = createEvidenceStore({ client, caches, clock });
  const waiterCount = createWaiterCount(clock);
  const lapseClock = createLapseClock(clock);
  const housekeeping = createHousekeeping({ ...options, lapseClock });
  const skips = createSkips(options);
  const waitingJobs = createWaitingJobs(options);
  /** By uid of Leases that were never granted, whose requests were read live. */
  const listed = new LruMap<string, true>(10_000);
  const queue = createWorkQueue({ clock });

  let isLeading = false;
  /** A term begins with everything there is: before it there is nothing to remember. */
  const wake = (key: string) => {
    if (isLeading) queue.add(key);
  };

  caches.leases.subscribe(({ type, object }) => {
    const key = keyOf(object);
    if (type === "deleted") holdClock.forget(key);
    else holdClock.observe(object);
    wake(key);
  });
  caches.requests.subscribe(({ object }) => wake(`${object.namespace}/${object.spec.lease}`));
  caches.pods.subscribe(({ object, old }) => {
    for (const { namespace, lease } of [object, old ?? object]) if (lease) wake(`${namespace}/${lease}`);
  });
  caches.jobs.subscribe(({ object }) => {
    if (object.lease) wake(`${object.namespace}/${object.lease}`);
  });
  caches.nodes.subscribe(({ object }) => {
    for (const lease of caches.leases.store.byIndex(BY_NODE, object.name)) wake(keyOf(lease));
  });

  async function reconcile(key: string, signal: AbortSignal): Promise<void> {
    const lease = caches.leases.store.get(key);
    const known = caches.requests.store
      .byIndex(BY_LEASE, key)
      .filter(({ uid }) => !housekeeping.isRequestGone(uid));
    const asked = { key, requests: known };
    const [ofPods, ofJobs] = [
      await queueGatedPods(options, lease, asked),
      await waitingJobs.queue(lease, {
        ...asked,
        signal,
        tryAgain: () => queue.addAfter(key, TRY_JOBS_AGAIN_MS),
      }),
    ];
    const requests = [...known, ...ofPods, ...ofJobs];
    if (!lease) {
      if (requests.some((request) => !request.spec.ref || Number.isFinite(dueAtMs(request))))
        queue.addAfter(key, LEFT_OVER_LOOK_EVERY_MS);
      return housekeeping.recreate(key, requests);
    }
    const { hold } = lease.status;
    // What follows an expiry rests on whether the keeper runs: a watch that is stuck must not vouch for it.
    if (hold?.expired) {
      const isGone = (pod: HolderRef) => evidence.evidenceOf(lease.namespace, pod).is === "gone";
      const there = podsOf(hold).filter((pod) => !isGone(pod));
      await Promise.all(there.map((pod) => evidence.look(lease.namespace, pod)));
    }
    const sources = { caches, evidence, housekeeping, holdClock, lapseClock, clock };
    const situation = readSituation({ lease, requests, ...sources });
    const decision = decide(situation);
    signal.throwIfAborted();
    await perform(decision, situation, key);
  }

  async function perform(decision: Decision, situation: Situation, key: string): Promise<void> {
    const { lease } = situation;
    switch (decision.do) {
      case "wait":
        if (decision.forMs !== undefined && Number.isFinite(decision.forMs))
          queue.addAfter(key, decision.forMs);
        return settle(situation, key);
      case "look":
        if (decision.at.kind === "LeaseRequest")
          await housekeeping.lookForRequest(lease.namespace, decision.at);
        else await evidence.look(lease.namespace, decision.at);
        return queue.addAfter(key, LOOK_AGAIN_MS);
      case "retire":
        await housekeeping.remove(decision.request);
        return queue.add(key);
      case "ungate":
        queue.addAfter(key, decision.forMs);
        await removeSchedulingGate(client, { namespace: lease.namespace, ...decision.ref });
        return;
      case "resume":
      case "suspend":
        queue.addAfter(key, decision.forMs);
        return waitingJobs.steer(decision.do, lease, decision.ref);
      case "deletePod":
        queue.addAfter(key, decision.forMs);
        return deleteHolder(lease, decision.ref);
      case "write":
        return write(decision, situation);
    }
  }

  async function write(decision: Decision & { do: "write" }, { lease, requests }: Situation): Promise<void> {
    const { passOver, trace, status } = decision;
    const isFirst = decision.granted !== undefined && lease.status.lastToken === undefined;
    if (isFirst && !listed.get(lease.uid)) return listRequests(lease);
    if (passOver) await markRequest(passOver, { phase: "Pending", reason: NOT_CONFIRMED });
    if (trace && status.hold) await markRequest(trace, grantedStatus(trace, status.hold));
    const waiting = waitingInOrder(lease, requests).length - (decision.granted ? 1 : 0);
    const counted = { ...status, waiters: Math.max(0, waiting) };
    const written = await writeLeaseStatus(client, lease, counted, clock.nowMs());
    caches.leases.apply(written);
    waiterCount.written(keyOf(lease));
    logger.debug({ klease: keyOf(lease), why: decision.why }, "written");
    reporter.report(lease, written);
  }

  /** Before its first grant: a Lease of this name may have been deleted, and requests tell who was granted that one. */
  async function listRequests({ namespace, name, uid }: Lease): Promise<void> {
    const scope = { namespace, labelSelector: `${LEASE_LABEL}=${name}` };
    const { items } = await client.list(LEASE_REQUESTS, scope, parseLeaseRequest);
    for (const request of items) caches.requests.apply(request);
    listed.set(uid, true);
    queue.add(keyOf({ namespace, name }));
  }

  async function markRequest(request: LeaseRequest, status: LeaseRequest["status"]): Promise<void> {
    if (isDeepStrictEqual(request.status, status)) return;
    caches.requests.apply(await writeRequestStatus(client, request, status));
  }

  /** Only after a live look: what the cache shows of an expired or revoked hold may be long over. */
  async function deleteHolder(lease: Lease, ref: { name: string; uid: string }): Promise<void> {
    const { namespace, name } = lease;
    const live = await client.get(LEASES, { namespace, name }, parseLease);
    caches.leases.apply(live);
    const cached = lease.status.hold;
    const hold = cached && holdOf(live, { uid: ref.uid, token: cached.token });
    if (!hold || (!hold.expired && !hold.revoked)) return;
    if (await deletePod(client, { namespace, ...ref })) reporter.holderDeleted(lease, ref);
  }

  /**
   * With nothing urgent left: end holds of a deleted Lease, bring the requests in line, count the waiters, say that the spec was
   * seen, look again at a holder that is not watched.
   */
  async function settle(situation: Situation, key: string): Promise<void> {
    const { lease, requests } = situation;
    await deleteUnrecorded(lease, { client, caches, reporter });
    await skips.skip(situation);
    await housekeeping.follow(situation);
    // What was due is done by now; the watch wakes for a request that changed meanwhile.
    let nextMs = Number.POSITIVE_INFINITY;
    for (const atMs of requests.map(dueAtMs)) if (atMs >= situation.nowMs) nextMs = Math.min(nextMs, atMs);
    if (Number.isFinite(nextMs)) queue.addAfter(key, nextMs - situation.nowMs + 1);
    const { hold } = lease.status;
    const isStray = (ref: HolderRef) => !isWatched(lease, ref) && !isPast(situation.evidenceOf(ref));
    if (hold && [hold.ref, ...podsOf(hold)].some(isStray)) queue.addAfter(key, STRAY_FRESH_MS);
    const waiters = waitingInOrder(lease, requests).length;
    const isNews = lease.status.observedGeneration !== lease.generation;
    if (waiters === lease.status.waiters && !isNews) return;
    const dueInMs = waiterCount.dueInMs(key);
    if (dueInMs > 0 && !isNews) return queue.addAfter(key, dueInMs);
    caches.leases.apply(await writeLeaseStatus(client, lease, { ...lease.status, waiters }, clock.nowMs()));
    waiterCount.written(key);
  }

  /** One whose label was changed by hand wakes another Lease. */
  function isWatched(lease: Lease, { kind, name, uid }: HolderRef): boolean {
    if (kind === "LeaseRequest") return true;
    const watched = (kind === "Job" ? caches.jobs : caches.pods).store.get(`${lease.namespace}/${name}`);
    return watched?.uid === uid && watched.lease === lease.name;
  }

  /** A refused or failed step is not repeated: the Lease is read again, and decided again. */
  async function handle(key: string, signal: AbortSignal): Promise<void> {
    try {
      await reconcile(key, signal);
      queue.forget(key);
    } catch (error) {
      if (signal.aborted) return;
      if (!hasCode(error, "Conflict", "NotFound")) {
        logger.warn({ klease: key, error: describeError(error) }, "a step failed and will be decided again");
      }
      await refresh(key).catch(() => undefined);
      queue.retry(key);
    }
  }

  async function refresh(key: string): Promise<void> {
    const lease = caches.leases.store.get(key);
    if (!lease) return;
    const { namespace, name } = lease;
    caches.leases.apply(await client.get(LEASES, { namespace, name }, parseLease));
  }

  return {
    async runTerm(signal) {
      await Promise.all(allCaches(caches).map((cache) => cache.relist()));
      signal.throwIfAborted();
      holdClock.reset();
      lapseClock.reset();
      listed.clear();
      isLeading = true;
      for (const lease of caches.leases.store.list()) queue.add(keyOf(lease));
      for (const { namespace, spec } of caches.requests.store.list()) queue.add(`${namespace}/${spec.lease}`);
      for (const { namespace, lease } of [...caches.pods.store.list(), ...caches.jobs.store.list()])
        if (lease) queue.add(`${namespace}/${lease}`);
      logger.info({ kleases: caches.leases.store.size }, "arbitrating");
      await queue
        .run(WORKERS, (key) => handle(key, signal), signal)
        .finally(() => {
          isLeading = false;
        });
    },
  };
}
