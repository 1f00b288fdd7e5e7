/**
 * Jobs that end Complete before they have run, or run again: they are skipped (skips.ts), or their work is done already (done-jobs.ts).
 *
 * The decision is a status of the Job's, or its pod's, LeaseRequest, Denied, which nothing grants any more; then the Job is marked, and the
 * Job controller deletes its pods. If the arbiter dies in between, the next one finds the request, and goes on.
 *
 * A request stays denied as long as its pod exists, and a pod may name any Job as its owner. So a Job that cannot be ended is remembered, if
 * that cannot change. Otherwise each look at the Lease would cost calls for each such pod.
 */
import type { KubeClient } from "../kube/api.ts";
import type { EventRecorder, EventReport } from "../kube/events.ts";
import { isHeldAs } from "../lease/hold.ts";
import { asks, isSuspendedByUser, type JobView } from "../lease/job.ts";
import { aboutRequest } from "../lease/log-fields.ts";
import { ALREADY_DONE, isDone } from "../lease/once.ts";
import { SKIPPED } from "../lease/order.ts";
import type { Settings } from "../lease/settings.ts";
import { keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import type { Caches } from "../objects/caches.ts";
import { completeJob } from "../objects/job-completion.ts";
import { writeRequestStatus } from "../objects/lease-objects.ts";
import { findLease, refKey, type UidRef } from "../objects/live-objects.ts";
import type { Clock } from "../shared/clock.ts";
import { KonductorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { LruMap } from "../shared/lru-map.ts";
import { API_VERSION } from "../shared/names.ts";
import type { ArbiterRecorder } from "./arbiter-recorder.ts";

export interface UnrunJobsOptions {
  client: KubeClient;
  caches: Pick<Caches, "requests" | "leases">;
  events: Pick<EventRecorder, "record">;
  recorder: Pick<ArbiterRecorder, "waited">;
  clock: Clock;
  logger: Logger;
}

/** A request that waits for a Lease on behalf of a Job. */
export interface JobClaim {
  request: LeaseRequest;
  job: UidRef;
}

const WISHES = ["ifHeld", "maxWaiting", "once"] as const;

/** What the Job itself has to ask for, by its template, to be ended: the same as its pod. */
export type Wish = Partial<Pick<Settings, (typeof WISHES)[number]>>;

const REMEMBERED_JOBS = 50_000;
const KNOWN_FOR_MS = 600_000;

/** Why a Job ends. */
export interface UnrunEnd {
  /** In its condition SuccessCriteriaMet. */
  reason: string;
  message: string;
  wish: Wish;
  /** Whether it is to end by what the Lease says once the Job was read. */
  isStill(): Promise<boolean>;
  /** What is told on the Job; and, by the same reason, on the Lease and in the log. */
  onJob: EventReport;
  onLease: string;
}

const OUTCOMES = { [SKIPPED]: "skipped", [ALREADY_DONE]: "already_done" } as const;

export interface UnrunJobs {
  /** Denies the request. Resolves with false if the Lease is no longer held, or the work no longer done, as when that was decided. */
  deny(lease: Lease, request: LeaseRequest, reason: keyof typeof OUTCOMES): Promise<boolean>;
  /**
   * Ends the Job whose request was denied. Resolves with false if it is over, gone, does not ask for that, or is not `isStill` to end. Rejects
   * with `Conflict` if it is suspended, by its user or without asking for that, which may change; or if it has changed since it was read.
   */
  end(lease: Lease, claim: JobClaim, why: UnrunEnd): Promise<boolean>;
  /**
   * Whether the Job may be ended for `wish`, by what a live look has `found`; undefined: it is gone. If it may not, this is remembered for a
   * while, unless the Job is suspended: then its template can change.
   */
  mayEnd(lease: Lease, job: UidRef, wish: Wish, found: JobView | undefined): boolean;
  /** Whether it is known that the Job may not be ended for `wish`, or has been already. */
  isSettled(lease: Lease, job: UidRef, wish: Wish): boolean;
}

export function createUnrunJobs({
  client,
  caches,
  events,
  recorder,
  clock,
  logger,
}: UnrunJobsOptions): UnrunJobs {
  /** By {@link idOf}: until when it is known. */
  const settledUntilMs = new LruMap<string, number>(REMEMBERED_JOBS);

  /** Another Lease, or a pod that asks for something else, learns nothing from what was found. */
  const idOf = (lease: Lease, job: UidRef, wish: Wish) =>
    `${keyOf(lease)} ${refKey(job)} ${JSON.stringify(wish)}`;

  const isSettled: UnrunJobs["isSettled"] = (lease, job, wish) =>
    clock.monotonicMs() < (settledUntilMs.get(idOf(lease, job, wish)) ?? 0);

  const mayEnd: UnrunJobs["mayEnd"] = (lease, job, wish, found) => {
    const mayEndNow = found !== undefined && !found.over && asks(found, lease, isLike(wish));
    const mayChange = found !== undefined && !found.over && found.suspended;
    if (!mayEndNow && !mayChange) settledUntilMs.set(idOf(lease, job, wish), knownUntilMs(clock, found));
    return mayEndNow;
  };

  return {
    mayEnd,
    isSettled,
    async deny(lease, request, reason) {
      // The cache may still show a holder who has just released, what was forgotten, or a request that was granted before.
      const live = await findLease(client, caches.leases, lease);
      if (!live || !isHeldAs(lease, live) || (reason === ALREADY_DONE && !isDone(live.status, request)))
        return false;
      const status = { phase: "Denied", reason } as const;
      caches.requests.apply(await writeRequestStatus(client, request, status, clock.nowMs()));
      recorder.waited(OUTCOMES[reason], clock.nowMs() - request.spec.requestedAtMs, request);
      return true;
    },

    async end(lease, { request, job }, { reason, message, wish, isStill, onJob, onLease }) {
      const isNew = await completeJob(client, job, {
        ...{ reason, message, nowMs: clock.nowMs() },
        async isMeant(found) {
          const isMeant = mayEnd(lease, job, wish, found) && !(found && isSuspendedByUser(found));
          // Nothing tells of a Job without our label that it was changed or resumed. So whoever calls rests, and tries again.
          if (!isMeant && !isSettled(lease, job, wish))
            throw new KonductorError("Conflict", `Job ${job.name} is suspended`);
          return isMeant && isStill();
        },
      });
      if (!isNew) return false;
      settledUntilMs.set(idOf(lease, job, wish), Number.POSITIVE_INFINITY);
      events.record(onJob);
      logger.info({ ...aboutRequest(request), job: job.name, reason: onJob.reason }, onLease);
      const { namespace, name, uid } = lease;
      const object = { apiVersion: API_VERSION, kind: "Lease", namespace, name, uid };
      events.record({ object, type: "Normal", reason: onJob.reason, message: onLease });
      return true;
    },
  };
}

/** How long what a live look has `found` of a Job holds: for ever if it is gone or over. One that runs may be suspended, changed and resumed. */
export function knownUntilMs(clock: Pick<Clock, "monotonicMs">, found: JobView | undefined): number {
  return found === undefined || found.over ? Number.POSITIVE_INFINITY : clock.monotonicMs() + KNOWN_FOR_MS;
}

const isLike =
  (wish: Wish) =>
  (asked: Settings): boolean =>
    WISHES.every((name) => wish[name] === undefined || asked[name] === wish[name]);
