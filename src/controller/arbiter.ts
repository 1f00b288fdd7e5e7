/**
 * The arbiter: the one elected replica that grants, expires and watches holders.
 *
 * It keeps no state that matters: each look at a Lease starts from the caches, asks `decide()` for the one next step, and takes it.
 * The change that it makes calls for the next look. What must not happen twice is a write guarded by the Lease's resourceVersion.
 * A write of a pod or Job is preceded by a live GET of the Lease, and guarded by the version that it had before that (`findLease` in
 * live-objects.ts). So an arbiter that was paused, and wakes up beside its successor, can at most be refused.
 *
 * Limits: a pause after that GET may let a pod or Job start whose hold has ended, which then waits like any other. The deletion of
 * a holder's pod is guarded by its uid alone, and may strike a pod that has run its gate again and holds anew.
 */
import type { KubeClient } from "../kube/api.ts";
import type { EventRecorder } from "../kube/events.ts";
import { createWorkQueue } from "../kube/work-queue.ts";
import { decide } from "../lease/decide.ts";
import { isUrgent, keepsHold, type Situation } from "../lease/decision.ts";
import { dueAtMs } from "../lease/follow-ups.ts";
import { silenceLeftMs } from "../lease/judge-pod.ts";
import { aboutKey } from "../lease/log-fields.ts";
import { keyOf, type Lease, type LeaseRequest, namespaceOf } from "../lease/types.ts";
import { BY_LEASE, type Caches } from "../objects/caches.ts";
import type { LeaseReporter } from "../objects/lease-reporter.ts";
import type { Clock } from "../shared/clock.ts";
import { describeError, hasCode } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { createAligning } from "./aligning.ts";
import type { ArbiterRecorder } from "./arbiter-recorder.ts";
import { createDoneJobs } from "./done-jobs.ts";
import { createErrands } from "./errands.ts";
import { createEvidenceStore } from "./evidence-store.ts";
import { queueGatedPods } from "./gated-pods.ts";
import { createHoldClock } from "./hold-clock.ts";
import { createLapseClock } from "./lapse-clock.ts";
import { createLiveRequests } from "./live-requests.ts";
import { createMissingLease } from "./missing-lease.ts";
import { createPace } from "./pace.ts";
import { createPassedOver } from "./passed-over.ts";
import { type Again, createPerforming } from "./performing.ts";
import { createSettling } from "./settling.ts";
import { readSituation } from "./situation.ts";
import { createSkips } from "./skips.ts";
import { createSteps } from "./steps.ts";
import { createTidying } from "./tidying.ts";
import { createUnrunJobs } from "./unrun-jobs.ts";
import { createWaiterCount } from "./waiter-count.ts";
import { createWaitingJobs } from "./waiting-jobs.ts";
import { createWaitingNotices } from "./waiting-notices.ts";
import { createWaits } from "./waits.ts";
import { wakeByChanges } from "./wakes.ts";

const WORKERS = 8;
/** How long a term waits for new lists of pods, Jobs and nodes before it begins: nothing is concluded from those caches alone. */
const RELIST_WITHIN_MS = 5_000;
/**
 * No look is planned further ahead: a plan outlives its Lease, and time limits may be years away. A look that comes too early plans the next
 * one.
 */
const LOOK_WITHIN_MS = 600_000;
/** How often requests for a Lease that does not exist are looked at again, if time can end them. */
const LEFT_OVER_LOOK_EVERY_MS = 10_000;

export interface ArbiterOptions {
  client: KubeClient;
  caches: Caches;
  reporter: LeaseReporter;
  recorder: ArbiterRecorder;
  events: Pick<EventRecorder, "record" | "recordInTurn" | "waiting">;
  clock: Clock;
  logger: Logger;
  /** Whether a missing Lease is created when somebody waits for it. */
  createMissingLeases: boolean;
  /** Where konductor itself runs. */
  systemNamespace: string;
}

export interface Arbiter {
  /** Arbitrates until `signal` aborts: the elector's term. Begins with a consistent look at every Lease and request. */
  runTerm(signal: AbortSignal): Promise<void>;
}

export function createArbiter(options: ArbiterOptions): Arbiter {
  const { client, caches, events, clock, logger } = options;
  let term: AbortSignal | undefined;
  const isLeading = () => term?.aborted === false;
  const pace = createPace(clock);
  // Namespaces take turns: a thousand kleases in one do not keep another's waiting.
  const queue = createWorkQueue({ clock, flowOf: namespaceOf });

  const lookAfter = (key: string, delayMs: number) => queue.addAfter(key, Math.min(delayMs, LOOK_WITHIN_MS));

  /** Outside of a term nothing need be remembered: a term begins with every Lease. */
  function wake(key: string): void {
    if (!isLeading()) return;
    const restMs = pace.restMs(key);
    if (restMs > 0) lookAfter(key, restMs);
    else queue.add(key);
  }

  const holdClock = createHoldClock(clock);
  const lapseClock = createLapseClock(clock);
  const waiterCount = createWaiterCount(clock);
  const evidence = createEvidenceStore({ client, caches, clock });
  const errands = createErrands({ clock, logger, isWanted: isLeading, wake });
  const liveRequests = createLiveRequests(options);
  const around = { ...options, errands, liveRequests, lapseClock };
  const unrunJobs = createUnrunJobs(around);
  const recreate = createMissingLease(around);
  const waitingJobs = createWaitingJobs(around);
  const steps = createSteps({ ...around, evidence, waitingJobs });
  const passedOver = createPassedOver({ steps, clock });
  const waits = createWaits({ ...options, isLeading });
  const performing = createPerforming({ ...around, steps, passedOver, waiterCount, waits });
  const settle = createSettling({
    ...{
      ...around,
      align: createAligning({ ...around, passedOver }),
      doneJobs: createDoneJobs({ ...around, unrunJobs }),
      skips: createSkips({ ...around, unrunJobs }),
      steps,
      waiterCount,
    },
    wakeAfter: lookAfter,
  });
  const { tidy, atRest } = createTidying({ always: tidyParts, wake, logger });
  wakeByChanges(caches, { holdClock, wake });
  const notices = createWaitingNotices({ caches, events, clock, logger, isLeading });

  /** The requests as cached, without those known to be gone, and with the marks that could not be written. */
  function requestsOf(key: string): LeaseRequest[] {
    return caches.requests.store
      .byIndex(BY_LEASE, key)
      .filter(({ uid }) => !liveRequests.isGone(uid))
      .map(passedOver.shown);
  }

  /** How many pods and Jobs name the Lease, whether they have requests or not: each look goes through all of them. */
  function claimantsOf(key: string): number {
    return caches.pods.store.byIndex(BY_LEASE, key).length + caches.jobs.store.byIndex(BY_LEASE, key).length;
  }

  function tidyParts(key: string): Promise<unknown>[] {
    const asked = { key, requests: requestsOf(key) };
    const lease = caches.leases.store.get(key);
    return [
      queueGatedPods(around, lease, asked),
      waitingJobs.queue(lease, asked),
      passedOver.mark(caches.requests.store.byIndex(BY_LEASE, key)),
    ];
  }

  const followUp = (key: string, work: () => Promise<unknown>) =>
    tidy(key, () => errands.run({ key, what: "follow up", uid: key }, work));

  function lookAgain(key: string, again: Again): void {
    if (again === "now") queue.add(key);
    else if (again !== undefined && Number.isFinite(again)) lookAfter(key, again);
  }

  function reconcileMissing(key: string, requests: readonly LeaseRequest[]): void {
    if (requests.some((request) => !request.spec.ref || Number.isFinite(dueAtMs(request))))
      lookAfter(key, LEFT_OVER_LOOK_EVERY_MS);
    followUp(key, () => recreate(key, requests));
  }

  /** Has the Lease looked at when a time limit passes, whatever becomes of the step. */
  function planLimits(key: string, situation: Situation): void {
    lookAgain(key, passedOver.endsInMs(situation.requests));
    const { hold } = situation.lease.status;
    const limitInMs = hold && !hold.expired ? silenceLeftMs(situation, hold) : 0;
    if (limitInMs > 0) lookAfter(key, limitInMs);
  }

  function situationOf(lease: Lease, requests: readonly LeaseRequest[]): Situation {
    const sources = { caches, evidence, errands, liveRequests, holdClock, lapseClock, clock };
    return readSituation({ lease, requests, ...sources });
  }

  /** Settles the Lease as its last write left it, if somebody holds. */
  async function settleAnew(key: string): Promise<void> {
    const lease = caches.leases.store.get(key);
    if (lease?.status.hold) await settle(situationOf(lease, requestsOf(key)));
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<void> {
    const lease = caches.leases.store.get(key);
    const requests = requestsOf(key);
    pace.looked(key, requests.length + claimantsOf(key));
    if (!lease) return reconcileMissing(key, requests);
    const situation = situationOf(lease, requests);
    const decision = decide(situation);
    signal.throwIfAborted();
    planLimits(key, situation);
    try {
      lookAgain(key, await performing.perform(decision, situation));
    } finally {
      // Somebody holds, or nobody can be granted it now.
      const isAtRest = !isUrgent(decision) && (lease.status.hold !== undefined || decision.do === "wait");
      // A holder's writes may fail, or follow each other, for ever. Others are answered meanwhile.
      const isKept = keepsHold(decision, lease.status);
      followUp(key, async () => (isAtRest ? settle(situation) : isKept ? settleAnew(key) : undefined));
    }
  }

  /** A refused or failed step is not repeated: the Lease is read again, and decided again. */
  async function handle(key: string, signal: AbortSignal): Promise<void> {
    try {
      await reconcile(key, signal);
      queue.forget(key);
    } catch (error) {
      if (signal.aborted) return;
      if (!hasCode(error, "Conflict", "NotFound"))
        logger.warn({ ...aboutKey(key), error: describeError(error) }, "a step failed; deciding again");
      await performing.refresh(key).catch((reason: unknown) => {
        if (!hasCode(reason, "NotFound")) errands.excuse(key);
      });
      queue.retry(key);
    }
  }

  /** A term begins with consistent lists of Leases and requests, or ends if it is over before they are there. */
  async function relist(signal: AbortSignal): Promise<void> {
    const others = Promise.all([caches.pods, caches.jobs, caches.nodes].map((cache) => cache.relist()));
    others.catch(() => undefined);
    const needed = Promise.all([caches.leases.relist(), caches.requests.relist()]);
    await Promise.race([needed, aborted(signal)]);
    await Promise.race([others, clock.sleep(RELIST_WITHIN_MS, signal)]);
    signal.throwIfAborted();
  }

  function addAll(): void {
    for (const lease of caches.leases.store.list()) queue.add(keyOf(lease));
    for (const { namespace, spec } of caches.requests.store.list()) queue.add(`${namespace}/${spec.lease}`);
    for (const { namespace, lease } of [...caches.pods.store.list(), ...caches.jobs.store.list()])
      if (lease) queue.add(`${namespace}/${lease}`);
  }

  return {
    async runTerm(signal) {
      await relist(signal);
      for (const known of [holdClock, lapseClock, performing]) known.reset();
      term = signal;
      addAll();
      logger.info({ kleases: caches.leases.store.size }, "arbitrating");
      const told = notices.run(signal);
      await queue
        .run(WORKERS, (key) => handle(key, signal), signal)
        .finally(() => {
          term = undefined;
        });
      await Promise.all([told, atRest()]);
    },
  };
}

/** Rejects when `signal` aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
