/**
 * Jobs that wait as a whole (`gate: job`): suspended, they have no pods that could ask, so the arbiter asks for them. Each step may be
 * lost, or happen twice.
 */
import type { KubeClient } from "../kube/api.ts";
import type { EventRecorder } from "../kube/events.ts";
import { requestOf } from "../lease/claimant-request.ts";
import { holdOf } from "../lease/hold.ts";
import { isJobOver, isSuspendedByUs, isSuspendedByUser, type JobView, waitsAsWhole } from "../lease/job.ts";
import { aboutPod } from "../lease/log-fields.ts";
import { canUseGrant, type PodView, waitsForJob } from "../lease/pod.ts";
import type { ClaimantRef, Lease, LeaseRequest } from "../lease/types.ts";
import { BY_LEASE, type Caches } from "../objects/caches.ts";
import { refusedEvent } from "../objects/claimant-events.ts";
import { resumeJob, suspendJob, unmarkJob } from "../objects/job-suspension.ts";
import { ensureClaimantRequest } from "../objects/lease-objects.ts";
import { findJob, findLease, isWholeFor, refKey, type UidRef } from "../objects/live-objects.ts";
import type { Clock } from "../shared/clock.ts";
import { KonductorError } from "../shared/errors.ts";
import { LruMap } from "../shared/lru-map.ts";
import { ANNOTATION, accountName } from "../shared/names.ts";
import type { Errands } from "./errands.ts";
import { knownUntilMs } from "./unrun-jobs.ts";

export interface WaitingJobsOptions {
  client: KubeClient;
  caches: Pick<Caches, "pods" | "jobs" | "leases" | "requests">;
  errands: Errands;
  events: Pick<EventRecorder, "record">;
  clock: Clock;
  /** Where konductor itself runs. */
  systemNamespace: string;
}

export interface AskedJobs {
  /** Of the Lease: `namespace/name`. */
  key: string;
  requests: readonly LeaseRequest[];
}

export interface WaitingJobs {
  /**
   * Sees to it that every Job that waits as a whole for the Lease `key` is suspended unless it holds, and has a request: each by an
   * errand of its own. An event tells of one that konductor has suspended, and that cannot ask by its template.
   */
  queue(lease: Lease | undefined, asked: AskedJobs): Promise<void>;
  /** Lets the holder of `lease` make its pods, or has it stop making them, if the Lease still says so. */
  steer(step: "resume" | "suspend", lease: Lease, ref: ClaimantRef): Promise<void>;
}

const REMEMBERED_JOBS = 50_000;

export function createWaitingJobs(options: WaitingJobsOptions): WaitingJobs {
  const { client, caches, errands, events, clock, systemNamespace } = options;
  /** By Lease and {@link refKey}: until when it is known that a Job does not wait for it, although pods say so. Each look would ask anew. */
  const unaskingUntilMs = new LruMap<string, number>(REMEMBERED_JOBS);

  /** Jobs that are watched, and those known only from their pods: they were created while nobody could mark them. */
  async function jobsOf(key: string): Promise<JobView[]> {
    const jobs = new Map(
      caches.jobs.store
        .byIndex(BY_LEASE, key)
        .filter((job) => waitsAsWhole(job) || isSuspendedByUs(job))
        .map((job) => [job.uid, job]),
    );
    const members = new Map<string, { pod: PodView; owner: UidRef }>();
    for (const pod of caches.pods.store.byIndex(BY_LEASE, key)) {
      if (!pod.job || !waitsForJob(pod) || !canUseGrant(pod) || jobs.has(pod.job.uid)) continue;
      const owner = { namespace: pod.namespace, ...pod.job };
      const id = `${key} ${refKey(owner)}`;
      if (clock.monotonicMs() >= (unaskingUntilMs.get(id) ?? 0)) members.set(id, { pod, owner });
    }
    await errands.runEach([...members], ([id, { pod, owner }]) =>
      errands.run({ key, what: "find Job", uid: id, about: aboutPod(pod) }, async () => {
        const job = await findJob(client, owner);
        if (job && isWholeFor(job, pod.lease) && isOfConcern(job)) jobs.set(job.uid, job);
        else if (!job?.suspended || isJobOver(job)) unaskingUntilMs.set(id, knownUntilMs(clock, job));
        // The template of a Job can change while it is suspended, and nothing tells of a Job without our label that it was resumed.
        else throw new KonductorError("Conflict", `Job ${job.name} does not wait now`);
      }),
    );
    return [...jobs.values()];
  }

  /** Keeps the Job suspended unless it holds, and marked only while konductor suspends it. */
  async function bringInLine(job: JobView, lease: Lease | undefined, key: string): Promise<void> {
    if (job.marked && !job.suspended) show(await unmarkJob(client, job));
    // The Job controller finishes a Job that was skipped, or is over already, only while it is not suspended.
    if (job.over && isSuspendedByUs(job)) show(await resumeJob(client, job));
    if (lease?.status.hold?.ref.uid !== job.uid && !isJobOver(job) && !job.suspended) await stop(job, key);
  }

  async function stop(job: JobView, key: string): Promise<void> {
    // The cache may not show a grant that another arbiter has made, nor the klease itself.
    const [namespace = "", name = ""] = key.split("/");
    const holdsNothing = async () =>
      (await findLease(client, caches.leases, { namespace, name }))?.status.hold?.ref.uid !== job.uid;
    show(await suspendJob(client, job, holdsNothing));
  }

  /** Nobody else would say that the Job does not wait: its template was changed, or made, while konductor was down. */
  function refuse(job: JobView, problem: string): never {
    const why = `${problem}; delete the Job and create it again`;
    events.record(refusedEvent("Job", job, job.lease ?? "", why));
    throw new KonductorError("Forbidden", `Job ${job.name}: ${why}`);
  }

  async function ask(job: JobView): Promise<void> {
    if (!waitsAsWhole(job))
      refuse(job, `konductor has suspended it, and its pod template is without ${ANNOTATION.gate} "job"`);
    if (!job.settings.ok) refuse(job, `in its pod template ${job.settings.problem}`);
    const { settings } = job.settings;
    const nowMs = clock.nowMs();
    const request = requestOf("Job", job, settings, {
      nowMs,
      requestedBy: accountName(systemNamespace),
    });
    const isTry = settings.ifHeld === "skip" && !job.resumed;
    const spec = { ...request.spec, ...(isTry && { waitUntilMs: nowMs }) };
    caches.requests.apply(await ensureClaimantRequest(client, { ...request, spec }));
  }

  function show(job: JobView | undefined): void {
    if (job?.labelled) caches.jobs.apply(job);
  }

  return {
    async queue(lease, { key, requests }) {
      const asked = new Set(requests.map(({ spec }) => spec.ref?.uid));
      await errands.runEach(await jobsOf(key), (job) =>
        errands.run({ key, what: "queue Job", uid: job.uid, about: { holder: job.name } }, async () => {
          await bringInLine(job, lease, key);
          const isAsked = lease?.status.hold?.ref.uid === job.uid || asked.has(job.uid);
          if (!isAsked && !isJobOver(job) && !isSuspendedByUser(job)) await ask(job);
        }),
      );
    },

    async steer(step, lease, { name, uid }) {
      const ref: UidRef = { namespace: lease.namespace, name, uid };
      const { token } = lease.status.hold ?? {};
      if (token === undefined) return;
      const isMeant = async () => {
        const hold = holdOf(await findLease(client, caches.leases, lease), { uid, token });
        const isClosing = hold?.expired || hold?.revoked !== undefined;
        return hold !== undefined && isClosing === (step === "suspend");
      };
      show(
        await (step === "suspend"
          ? suspendJob(client, ref, isMeant)
          : resumeJob(client, ref, { token, isMeant })),
      );
    },
  };
}

/** Whether anything is to be done about a Job that is for the Lease. */
function isOfConcern(job: JobView): boolean {
  return isJobOver(job) ? job.marked : !isSuspendedByUser(job);
}
