/**
 * Jobs that end Complete before they have run, or run again: they are skipped (skips.ts), or their work is done already (done-jobs.ts).
 *
 * The decision is a status of the Job's, or its pod's, LeaseRequest, Denied, which nothing grants any more; then the Job is marked, and the
 * Job controller deletes its pods. If the arbiter dies in between, the next one finds the request, and goes on.
 */
import type { KubeClient } from "../kube/api.ts";
import type { EventRecorder, EventReport } from "../kube/events.ts";
import { LEASES } from "../kube/resources.ts";
import { parseLease } from "../lease/codec.ts";
import { asks, isSuspendedByUser } from "../lease/job.ts";
import { aboutRequest } from "../lease/log-fields.ts";
import { ALREADY_DONE } from "../lease/once.ts";
import { SKIPPED } from "../lease/order.ts";
import type { Settings } from "../lease/settings.ts";
import type { Lease, LeaseRequest } from "../lease/types.ts";
import type { Caches } from "../objects/caches.ts";
import { completeJob } from "../objects/job-completion.ts";
import { writeRequestStatus } from "../objects/lease-objects.ts";
import type { UidRef } from "../objects/live-objects.ts";
import type { Clock } from "../shared/clock.ts";
import type { Logger } from "../shared/log.ts";
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

/** Why a Job ends. */
export interface UnrunEnd {
  /** In its condition SuccessCriteriaMet. */
  reason: string;
  message: string;
  /** Whether the Job itself asks for that, by its template. */
  isWanted(settings: Settings): boolean;
  /** What is told on the Job; and, by the same reason, on the Lease and in the log. */
  onJob: EventReport;
  onLease: string;
}

const OUTCOMES = { [SKIPPED]: "skipped", [ALREADY_DONE]: "already_done" } as const;

export interface UnrunJobs {
  /** Denies the request. Resolves with false if the Lease is no longer as it was when that was decided. */
  deny(lease: Lease, request: LeaseRequest, reason: keyof typeof OUTCOMES): Promise<boolean>;
  /** Ends the Job whose request was denied. Resolves with false if it is over, was suspended by its user, or does not ask for that. */
  end(lease: Lease, claim: JobClaim, why: UnrunEnd): Promise<boolean>;
}

export function createUnrunJobs({
  client,
  caches,
  events,
  recorder,
  clock,
  logger,
}: UnrunJobsOptions): UnrunJobs {
  return {
    async deny(lease, request, reason) {
      // The cache may still show a holder who has just released, what was forgotten, or a request that was granted before.
      const live = await client.get(LEASES, lease, parseLease);
      caches.leases.apply(live);
      if (live.resourceVersion !== lease.resourceVersion) return false;
      const status = { phase: "Denied", reason } as const;
      caches.requests.apply(await writeRequestStatus(client, request, status, clock.nowMs()));
      recorder.waited(OUTCOMES[reason], clock.nowMs() - request.spec.requestedAtMs, request);
      return true;
    },

    async end(lease, { request, job }, { reason, message, isWanted, onJob, onLease }) {
      const isNew = await completeJob(client, job, {
        ...{ reason, message, nowMs: clock.nowMs() },
        isMeant: (found) => asks(found, lease, isWanted) && !isSuspendedByUser(found),
      });
      if (!isNew) return false;
      events.record(onJob);
      logger.info({ ...aboutRequest(request), job: job.name, reason: onJob.reason }, onLease);
      const { namespace, name, uid } = lease;
      const object = { apiVersion: API_VERSION, kind: "Lease", namespace, name, uid };
      events.record({ object, type: "Normal", reason: onJob.reason, message: onLease });
      return true;
    },
  };
}
