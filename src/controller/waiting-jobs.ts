/**
 * Jobs that wait as a whole (`gate: job`): suspended, they have no pods that could ask, so the arbiter asks for them. Each step may be
 * lost, or happen twice.
 */
import type { KubeClient } from "../kube/api.ts";
import { BY_LEASE, type Caches } from "../kube/caches.ts";
import type { JobRef } from "../kube/job-completion.ts";
import { findJob, resumeJob, suspendJob } from "../kube/job-suspension.ts";
import { ensureClaimantRequest } from "../kube/lease-objects.ts";
import { LEASES } from "../kube/resources.ts";
import { requestOf } from "../lease/claimant-request.ts";
import { parseLease } from "../lease/codec.ts";
import { holdOf } from "../lease/hold.ts";
import {
  canUseJob,
  hasBeenResumed,
  isJobOver,
  isSuspendedByUs,
  type JobView,
  waitsAsWhole,
} from "../lease/job.ts";
import { canUseGrant, waitsForJob } from "../lease/pod.ts";
import { readSettings } from "../lease/settings.ts";
import type { ClaimantRef, Lease, LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { hasCode } from "../shared/errors.ts";
import { accountName, LEASE_LABEL } from "../shared/names.ts";

export interface WaitingJobsOptions {
  client: KubeClient;
  caches: Pick<Caches, "pods" | "jobs" | "leases" | "requests">;
  clock: Clock;
  /** Where konductor itself runs. */
  systemNamespace: string;
}

export interface WaitingJobs {
  /**
   * Sees to it that every Job that waits as a whole for the Lease `key` is suspended unless it holds, and has a request; resolves with
   * those requests that are new.
   */
  queue(
    lease: Lease | undefined,
    { key, requests }: { key: string; requests: readonly LeaseRequest[] },
  ): Promise<LeaseRequest[]>;
  /** Lets the holder of `lease` make its pods, or has it stop making them, if the Lease still says so. */
  steer(step: "resume" | "suspend", lease: Lease, ref: ClaimantRef): Promise<void>;
}

export function createWaitingJobs(options: WaitingJobsOptions): WaitingJobs {
  const { client, caches, clock, systemNamespace } = options;

  /** Those that are watched, and those that only their pods tell of: they were made while nobody could mark them. */
  async function jobsOf(key: string): Promise<JobView[]> {
    const jobs = new Map(
      caches.jobs.store
        .byIndex(BY_LEASE, key)
        .filter(waitsAsWhole)
        .map((job) => [job.uid, job]),
    );
    for (const pod of caches.pods.store.byIndex(BY_LEASE, key)) {
      if (!pod.job || !waitsForJob(pod) || !canUseGrant(pod) || jobs.has(pod.job.uid)) continue;
      const job = await findJob(client, { namespace: pod.namespace, ...pod.job });
      if (job) jobs.set(job.uid, { ...job, annotations: { ...pod.annotations, ...job.annotations } });
    }
    return [...jobs.values()];
  }

  async function stop(lease: Lease | undefined, job: JobView, leaseName: string): Promise<void> {
    // The cache may not show a grant that another arbiter has made.
    const live = lease && (await client.get(LEASES, lease, parseLease));
    if (live) caches.leases.apply(live);
    if (live?.status.hold?.ref.uid !== job.uid) show(await suspendJob(client, job, leaseName));
  }

  async function ask(job: JobView, leaseName: string): Promise<LeaseRequest | undefined> {
    const read = readSettings({ labels: { [LEASE_LABEL]: leaseName }, annotations: job.annotations });
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
    if (job?.lease !== undefined) caches.jobs.apply(job);
  }

  return {
    async queue(lease, { key, requests }) {
      const asked = new Set(requests.map(({ spec }) => spec.ref?.uid));
      const [, leaseName = ""] = key.split("/");
      const created: LeaseRequest[] = [];
      for (const job of await jobsOf(key)) {
        // It was skipped.
        if (job.over && isSuspendedByUs(job)) show(await resumeJob(client, job));
        if (lease?.status.hold?.ref.uid === job.uid || isJobOver(job)) continue;
        if (!job.suspended) await stop(lease, job, leaseName);
        if (!canUseJob(job) || asked.has(job.uid)) continue;
        const request = await ask(job, leaseName);
        if (request) created.push(request);
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
      if (step === "suspend" && isClosing) show(await suspendJob(client, ref, lease.name));
      if (step === "resume" && !isClosing) show(await resumeJob(client, ref, hold.token));
    },
  };
}
