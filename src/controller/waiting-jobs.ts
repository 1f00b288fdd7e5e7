/**
 * Jobs that wait as a whole (`gate: job`): suspended, they have no pods that could ask, so the arbiter asks for them. Each step may be
 * lost, or happen twice.
 */
import type { KubeClient } from "../kube/api.ts";
import { BY_LEASE, type Caches } from "../kube/caches.ts";
import type { JobRef } from "../kube/job-completion.ts";
import { findJob, resumeJob, suspendJob, unmarkJob } from "../kube/job-suspension.ts";
import { ensureClaimantRequest } from "../kube/lease-objects.ts";
import { LEASES } from "../kube/resources.ts";
import { requestOf } from "../lease/claimant-request.ts";
import { parseLease } from "../lease/codec.ts";
import { holdOf } from "../lease/hold.ts";
import {
  canUseJob,
  hasBeenResumed,
  isJobOver,
  isMarked,
  isSuspendedByUs,
  type JobView,
  waitsAsWhole,
} from "../lease/job.ts";
import { canUseGrant, waitsForJob } from "../lease/pod.ts";
import { readSettings } from "../lease/settings.ts";
import { type ClaimantRef, keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { describeError, hasCode } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { accountName, LEASE_LABEL } from "../shared/names.ts";

export interface WaitingJobsOptions {
  client: KubeClient;
  caches: Pick<Caches, "pods" | "jobs" | "leases" | "requests">;
  clock: Clock;
  logger: Logger;
  /** Where konductor itself runs. */
  systemNamespace: string;
}

export interface AskedJobs {
  /** Of the Lease: `namespace/name`. */
  key: string;
  requests: readonly LeaseRequest[];
  signal: AbortSignal;
  /** Called when something failed that has to be tried again. */
  tryAgain(): void;
}

export interface WaitingJobs {
  /**
   * Sees to it that every Job that waits as a whole for the Lease `key` is suspended unless it holds, and has a request; resolves with
   * those requests that are new.
   */
  queue(lease: Lease | undefined, asked: AskedJobs): Promise<LeaseRequest[]>;
  /** Lets the holder of `lease` make its pods, or has it stop making them, if the Lease still says so. */
  steer(step: "resume" | "suspend", lease: Lease, ref: ClaimantRef): Promise<void>;
}

export function createWaitingJobs(options: WaitingJobsOptions): WaitingJobs {
  const { client, caches, clock, logger, systemNamespace } = options;

  /** Those that are watched, and those that only their pods tell of: they were made while nobody could mark them. */
  async function jobsOf(key: string): Promise<JobView[]> {
    const jobs = new Map(
      caches.jobs.store
        .byIndex(BY_LEASE, key)
        .filter(waitsAsWhole)
        .map((job) => [job.uid, job]),
    );
    const looked = new Set(jobs.keys());
    for (const pod of caches.pods.store.byIndex(BY_LEASE, key)) {
      const { namespace, job: owner } = pod;
      if (!owner || !waitsForJob(pod) || looked.has(owner.uid) || !canUseGrant(pod)) continue;
      looked.add(owner.uid);
      const job = await findJob(client, { namespace, ...owner });
      // A pod is no witness of what its Job wants: whoever creates pods may name any owner.
      if (job && waitsAsWhole(job) && keyOf({ namespace, name: job.lease ?? "" }) === key)
        jobs.set(job.uid, job);
    }
    return [...jobs.values()];
  }

  /** It is suspended unless it holds, and marked as ours only while it is so by us. */
  async function bringInLine(job: JobView, lease: Lease | undefined): Promise<void> {
    if (isMarked(job) && !job.suspended) show(await unmarkJob(client, job));
    // Its controller ends a skipped Job, or one that was over already, only while it is not suspended.
    if (job.over && isSuspendedByUs(job)) show(await resumeJob(client, job));
    if (lease?.status.hold?.ref.uid !== job.uid && !isJobOver(job) && !job.suspended) await stop(lease, job);
  }

  async function stop(lease: Lease | undefined, job: JobView): Promise<void> {
    // The cache may not show a grant that another arbiter has made.
    const live = lease && (await client.get(LEASES, lease, parseLease));
    if (live) caches.leases.apply(live);
    if (live?.status.hold?.ref.uid !== job.uid) show(await suspendJob(client, job));
  }

  async function ask(job: JobView): Promise<LeaseRequest | undefined> {
    const { lease = "", annotations } = job;
    const read = readSettings({ labels: { [LEASE_LABEL]: lease }, annotations });
    if (!read.ok) return undefined; // admission has refused what cannot be read
    const nowMs = clock.nowMs();
    const request = requestOf("Job", job, read.settings, {
      nowMs,
      requestedBy: accountName(systemNamespace),
    });
    const isTry = read.settings.ifHeld === "skip" && !hasBeenResumed(job);
    const spec = { ...request.spec, ...(isTry && { waitUntilMs: nowMs }) };
    try {
      const answer = await ensureClaimantRequest(client, { ...request, spec });
      caches.requests.apply(answer);
      return answer;
    } catch (error) {
      // A Job that is gone cannot own one; somebody was faster.
      if (!hasCode(error, "AlreadyExists", "NotFound")) throw error;
      return undefined;
    }
  }

  function show(job: JobView | undefined): void {
    if (job?.labelled) caches.jobs.apply(job);
  }

  return {
    async queue(lease, { key, requests, signal, tryAgain }) {
      const asked = new Set(requests.map(({ spec }) => spec.ref?.uid));
      const created: LeaseRequest[] = [];
      for (const job of await jobsOf(key)) {
        try {
          await bringInLine(job, lease);
          if (lease?.status.hold?.ref.uid === job.uid || !canUseJob(job) || asked.has(job.uid)) continue;
          const request = await ask(job);
          if (request) created.push(request);
        } catch (error) {
          if (signal.aborted) throw error;
          // One Job that cannot be changed must not keep everybody else from being served.
          logger.warn(
            { klease: key, job: job.name, error: describeError(error) },
            "a Job that waits as a whole cannot be suspended, resumed or asked for; trying again",
          );
          tryAgain();
        }
      }
      return created;
    },

    async steer(step, lease, { name, uid }) {
      const ref: JobRef = { namespace: lease.namespace, name, uid };
      const cached = lease.status.hold;
      const live = await client.get(LEASES, lease, parseLease);
      caches.leases.apply(live);
      const hold = cached && holdOf(live, { uid, token: cached.token });
      if (!hold) return;
      const isClosing = hold.expired || hold.revoked !== undefined;
      if (step === "suspend" && isClosing) show(await suspendJob(client, ref));
      if (step === "resume" && !isClosing) show(await resumeJob(client, ref, hold.token));
    },
  };
}
