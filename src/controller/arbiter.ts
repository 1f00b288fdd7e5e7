/**
 * The arbiter: the one elected replica that grants, expires and watches holders.
 *
 * It keeps no state that matters: each look at a Lease starts from the caches, asks `decide()` for the one next step, takes it, and is
 * woken by the change that the step made. What must not happen twice is a write guarded by the Lease's resourceVersion; what
 * cannot be guarded (deleting a pod) is preceded by a live GET of the Lease and carries a uid precondition. So an arbiter that
 * was paused, and wakes up beside its successor, can at most be refused.
 */
import type { KubeClient } from "../kube/api.ts";
import { BY_LEASE, BY_NODE, type Caches } from "../kube/caches.ts";
import type { EventRecorder } from "../kube/events.ts";
import { writeLeaseStatus } from "../kube/lease-objects.ts";
import type { LeaseReporter } from "../kube/lease-reporter.ts";
import { listAll } from "../kube/list-pages.ts";
import { LEASE_REQUESTS, LEASES } from "../kube/resources.ts";
import { createWorkQueue } from "../kube/work-queue.ts";
import { parseLease, parseLeaseRequest } from "../lease/codec.ts";
import { decide } from "../lease/decide.ts";
import { type Decision, isUrgent, type Situation, type Step } from "../lease/decision.ts";
import { grantedStatus } from "../lease/grant.ts";
import { silenceLeftMs } from "../lease/judge-pod.ts";
import { waitingInOrder } from "../lease/order.ts";
import { keyOf, type Lease, type LeaseRequest, namespaceOf } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { describeError, hasCode } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { LruMap } from "../shared/lru-map.ts";
import { LEASE_LABEL } from "../shared/names.ts";
import { createErrands } from "./errands.ts";
import { createEvidenceStore } from "./evidence-store.ts";
import { dueAtMs } from "../lease/follow-ups.ts";
import { queueGatedPods } from "./gated-pods.ts";
import { createHoldClock } from "./hold-clock.ts";
import { createHousekeeping } from "./housekeeping.ts";
import { createLapseClock } from "./lapse-clock.ts";
import { createPace } from "./pace.ts";
import { createPassedOver } from "./passed-over.ts";
import { createSettling } from "./settling.ts";
import { readSituation } from "./situation.ts";
import { createSkips } from "./skips.ts";
import { createSteps } from "./steps.ts";
import { createWaiterCount } from "./waiter-count.ts";
import { createWaitingJobs } from "./waiting-jobs.ts";

const WORKERS = 8;
/** After a look at a pod or request: at once, and still no busy loop if it shows nothing. */
const LOOK_AGAIN_MS = 5;

/** What has just failed may be stuck a moment later. */
const TRY_AGAIN_MS = 250;
/** The caches of pods, Jobs and nodes have so long to be brought up to date before a term begins: nothing is concluded from them alone. */
const RELIST_WITHIN_MS = 5_000;

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
  /** Arbitrates until `signal` aborts: the elector's term. Begins with a consistent look at every Lease and request. */
  runTerm(signal: AbortSignal): Promise<void>;
}

export function createArbiter(options: ArbiterOptions): Arbiter {
  const { client, caches, reporter, clock, logger } = options;
  const holdClock = createHoldClock(clock);
  const evidence = createEvidenceStore({ client, caches, clock });
  const waiterCount = createWaiterCount(clock);
  const lapseClock = createLapseClock(clock);
  let term: AbortSignal | undefined;
  const isLeading = () => term?.aborted === false;
  const errands = createErrands({ clock, logger, isWanted: isLeading, wake: (key) => wake(key) });
  const housekeeping = createHousekeeping({ ...options, errands, lapseClock });
  const skips = createSkips({ ...options, errands });
  const waitingJobs = createWaitingJobs({ ...options, errands });
  const steps = createSteps({ ...options, errands, evidence, housekeeping, waitingJobs });
  const settle = createSettling({
    ...{ ...options, errands, housekeeping, skips, steps, waiterCount },
    wakeAfter: (key, delayMs) => queue.addAfter(key, delayMs),
  });
  const passedOver = createPassedOver({ steps, clock });
  const tidying = new Map<string, Promise<void>>();
  /** Lease keys that are to be tidied once more. */
  const untidy = new Set<string>();
  /** By uid of Leases that were never granted, whose requests were read live. */
  const listed = new LruMap<string, true>(10_000);
  const pace = createPace(clock);
  // Namespaces in turn: one with a thousand kleases to look at does not keep another's waiting.
  const queue = createWorkQueue({ clock, flowOf: namespaceOf });

  /** A term begins with everything there is: before it there is nothing to remember. */
  const wake = (key: string) => {
    if (!isLeading()) return;
    const restMs = pace.restMs(key);
    if (restMs > 0) queue.addAfter(key, restMs);
    else queue.add(key);
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

  /** As cached, but for those that are known to be gone and the marks that could not be written. */
  function requestsOf(key: string): LeaseRequest[] {
    return caches.requests.store
      .byIndex(BY_LEASE, key)
      .filter(({ uid }) => !housekeeping.isRequestGone(uid))
      .map(passedOver.shown);
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<void> {
    const lease = caches.leases.store.get(key);
    const requests = requestsOf(key);
    pace.looked(key, requests.length);
    if (!lease) {
      if (requests.some((request) => !request.spec.ref || Number.isFinite(dueAtMs(request))))
        queue.addAfter(key, LEFT_OVER_LOOK_EVERY_MS);
      return tidy(key, () => housekeeping.recreate(key, requests));
    }
    const sources = { caches, evidence, errands, housekeeping, holdClock, lapseClock, clock };
    const situation = readSituation({ lease, requests, ...sources });
    const decision = decide(situation);
    signal.throwIfAborted();
    const passedOverForMs = passedOver.endsInMs(requests);
    if (Number.isFinite(passedOverForMs)) queue.addAfter(key, passedOverForMs);
    const { hold } = lease.status;
    // Whatever becomes of the step, the limit is looked at.
    const limitInMs = hold && !hold.expired ? silenceLeftMs(situation, hold) : 0;
    if (limitInMs > 0) queue.addAfter(key, limitInMs);
    try {
      await perform(decision, situation, key);
    } finally {
      // Somebody holds, or nobody can be granted it now.
      const isAtRest = !isUrgent(decision) && (hold !== undefined || decision.do === "wait");
      tidy(key, isAtRest ? () => settle(situation) : async () => undefined);
    }
  }

  /** What no time limit waits for, once at a time for each Lease. */
  function tidy(key: string, work: () => Promise<void>): void {
    if (tidying.has(key)) {
      untidy.add(key);
      return;
    }
    async function all(): Promise<void> {
      const asked = { key, requests: requestsOf(key) };
      const lease = caches.leases.store.get(key);
      const parts = [
        queueGatedPods({ ...options, errands }, lease, asked),
        waitingJobs.queue(lease, asked),
        passedOver.mark(caches.requests.store.byIndex(BY_LEASE, key)),
        errands.run({ key, what: "follow up", uid: key }, work),
      ];
      await Promise.all(parts);
    }
    const run = all()
      .catch((error: unknown) =>
        logger.error({ klease: key, error: describeError(error) }, "cannot be tidied"),
      )
      .finally(() => {
        tidying.delete(key);
        if (untidy.delete(key)) wake(key);
      });
    tidying.set(key, run);
  }

  async function perform(decision: Decision, situation: Situation, key: string): Promise<void> {
    const { lease } = situation;
    switch (decision.do) {
      case "wait":
        if (decision.forMs !== undefined && Number.isFinite(decision.forMs))
          queue.addAfter(key, decision.forMs);
        return;
      case "retire": {
        const isDone = await steps.retire(decision.request);
        return isDone ? queue.add(key) : queue.addAfter(key, TRY_AGAIN_MS);
      }
      case "write":
        return write(decision, situation);
      default: {
        const { also = [], ...first } = decision;
        const all: readonly Step[] = [first, ...also];
        if (all.some((step) => step.do === "deletePod")) await refresh(key);
        const areDone = await errands.runEach(all, (step) => steps.take(step, lease));
        if (decision.do !== "look") return queue.addAfter(key, decision.forMs);
        return queue.addAfter(key, areDone ? LOOK_AGAIN_MS : TRY_AGAIN_MS);
      }
    }
  }

  async function write(decision: Decision & { do: "write" }, { lease, requests }: Situation): Promise<void> {
    const { passOver, trace, status } = decision;
    const key = keyOf(lease);
    const isFirst = decision.granted !== undefined && lease.status.lastToken === undefined;
    if (isFirst && !listed.get(lease.uid)) {
      const isListed = await errands.run({ key, what: "list", uid: lease.uid }, () => listRequests(lease));
      return isListed ? queue.add(key) : queue.addAfter(key, TRY_AGAIN_MS);
    }
    // Without its trace no hold is confirmed: it could not be known if the Lease were deleted.
    if (trace && status.hold && !(await steps.mark("trace", trace, grantedStatus(trace, status.hold))))
      return queue.addAfter(key, TRY_AGAIN_MS);
    const waiting = waitingInOrder(lease, requests).length - (decision.granted ? 1 : 0);
    const counted = { ...status, waiters: Math.max(0, waiting) };
    const written = await writeLeaseStatus(client, lease, counted, clock.nowMs());
    caches.leases.apply(written);
    waiterCount.written(key);
    logger.debug({ klease: key, why: decision.why }, "written");
    reporter.report(lease, written);
    // Not before: the cache may not have shown that the hold was confirmed, and the mark takes its trace away.
    if (passOver) await passedOver.add(passOver);
  }

  /** Before its first grant: a Lease of this name may have been deleted, and requests tell who was granted that one. */
  async function listRequests({ namespace, name, uid }: Lease): Promise<void> {
    const scope = { namespace, labelSelector: `${LEASE_LABEL}=${name}` };
    for (const request of await listAll(client, LEASE_REQUESTS, scope, parseLeaseRequest))
      caches.requests.apply(request);
    listed.set(uid, true);
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
      await refresh(key).catch((reason: unknown) => {
        if (!hasCode(reason, "NotFound")) errands.excuse(key);
      });
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
      const others = Promise.all([caches.pods, caches.jobs, caches.nodes].map((cache) => cache.relist()));
      others.catch(() => undefined);
      await Promise.all([caches.leases.relist(), caches.requests.relist()]);
      await Promise.race([others, clock.sleep(RELIST_WITHIN_MS, signal)]);
      signal.throwIfAborted();
      holdClock.reset();
      lapseClock.reset();
      listed.clear();
      term = signal;
      for (const lease of caches.leases.store.list()) queue.add(keyOf(lease));
      for (const { namespace, spec } of caches.requests.store.list()) queue.add(`${namespace}/${spec.lease}`);
      for (const { namespace, lease } of [...caches.pods.store.list(), ...caches.jobs.store.list()])
        if (lease) queue.add(`${namespace}/${lease}`);
      logger.info({ kleases: caches.leases.store.size }, "arbitrating");
      await queue
        .run(WORKERS, (key) => handle(key, signal), signal)
        .finally(() => {
          term = undefined;
        });
      await Promise.all(tidying.values());
    },
  };
}
