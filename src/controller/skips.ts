/**
 * Jobs that are skipped: they end Complete before anything of them has run, because their Lease is held (`if-held: skip`), or because
 * enough runs of their CronJob wait already (`max-waiting`).
 *
 * The decision is a status of the pod's LeaseRequest, Denied/Skipped, which nothing grants any more; then the Job is marked, and the Job
 * controller deletes its pods. Whoever dies in between is followed by one who finds the request, and goes on. A Job is never
 * skipped once a pod of it was granted, and a request that was granted meanwhile is not denied: both are guarded writes.
 */
import type { KubeClient } from "../kube/api.ts";
import { BY_LEASE, type Caches } from "../kube/caches.ts";
import type { EventRecorder } from "../kube/events.ts";
import { completeJob, findCronJobUid, type JobRef } from "../kube/job-completion.ts";
import { writeLeaseStatus, writeRequestStatus } from "../kube/lease-objects.ts";
import { LEASES } from "../kube/resources.ts";
import { parseLease } from "../lease/codec.ts";
import type { Situation } from "../lease/decision.ts";
import { isEligible, lastSeen } from "../lease/evidence.ts";
import { hasBeenResumed, type JobView } from "../lease/job.ts";
import { compareRequests, isOneTry, isSkipped, isWaiting, SKIPPED } from "../lease/order.ts";
import { isPastGate, type PodView } from "../lease/pod.ts";
import { readSettings, type Settings } from "../lease/settings.ts";
import { keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { hasCode } from "../shared/errors.ts";
import { LruMap } from "../shared/lru-map.ts";
import { API_VERSION, LEASE_LABEL } from "../shared/names.ts";

export interface SkipsOptions {
  client: KubeClient;
  caches: Pick<Caches, "pods" | "requests" | "leases">;
  events: Pick<EventRecorder, "record">;
  clock: Clock;
}

const COUNT_TRIES = 8;

/** One who waits for a Lease on behalf of a Job. */
interface Candidate {
  request: LeaseRequest;
  job: JobRef;
  settings: Settings;
}

export interface Skips {
  /** Skips whose Jobs have to be, with a Lease at rest: nobody of those who wait can be granted it now. */
  skip(situation: Situation): Promise<void>;
}

export function createSkips({ client, caches, events, clock }: SkipsOptions): Skips {
  /** By uid of the Job; a Job keeps its owner. */
  const cronJobs = new LruMap<string, { uid: string | undefined }>(10_000);

  async function cronJobOf(job: JobRef): Promise<string | undefined> {
    const known = cronJobs.get(job.uid) ?? { uid: await findCronJobUid(client, job) };
    cronJobs.set(job.uid, known);
    return known.uid;
  }

  /** Those of `waiting` that are too many of their CronJob's, the newest. */
  async function surplus(lease: Lease, waiting: readonly Candidate[]): Promise<Candidate[]> {
    const jobs = new Set(waiting.map(({ job }) => job.uid));
    const fewest = Math.min(...waiting.map(({ settings }) => settings.maxWaiting));
    if (!lease.status.hold || jobs.size <= fewest) return [];
    const counted = new Map<string, Set<string>>();
    const tooMany: Candidate[] = [];
    const byAge = [...waiting].sort((a, b) => a.request.spec.requestedAtMs - b.request.spec.requestedAtMs);
    for (const candidate of byAge) {
      const { job, settings } = candidate;
      const cronJob = await cronJobOf(job);
      if (cronJob === undefined) continue;
      const before = counted.get(cronJob) ?? new Set();
      counted.set(cronJob, before);
      if (before.has(job.uid) || before.size < settings.maxWaiting) before.add(job.uid);
      else tooMany.push(candidate);
    }
    return tooMany;
  }

  /** Whether a pod of the Job holds or has held: its others just wait. */
  function hasHeld(lease: Lease, jobUid: string): boolean {
    const holderUid = lease.status.hold?.ref.uid;
    return (
      jobUid === holderUid || siblings(lease, jobUid).some((pod) => isPastGate(pod) || pod.uid === holderUid)
    );
  }

  function siblings(lease: Lease, jobUid: string): PodView[] {
    return caches.pods.store.byIndex(BY_LEASE, keyOf(lease)).filter(({ job }) => job?.uid === jobUid);
  }

  async function deny(lease: Lease, { request }: Candidate): Promise<boolean> {
    // The cache may show a holder who has just released.
    const live = await client.get(LEASES, lease, parseLease);
    caches.leases.apply(live);
    if (live.resourceVersion !== lease.resourceVersion) return false;
    caches.requests.apply(await writeRequestStatus(client, request, { phase: "Denied", reason: SKIPPED }));
    return true;
  }

  async function complete(lease: Lease, { job, settings }: Candidate): Promise<void> {
    const message = `skipped: ${whySkipped(lease, settings)}`;
    const isNew = await completeJob(client, job, { reason: "LeaseHeld", message, nowMs: clock.nowMs() });
    if (!isNew) return;
    const { namespace, name, uid } = job;
    const about = { apiVersion: "batch/v1", kind: "Job", namespace, name, uid };
    events.record({ object: about, type: "Normal", reason: "LeaseHeld", message });
    const itself = { apiVersion: API_VERSION, kind: "Lease", namespace, name: lease.name, uid: lease.uid };
    events.record({
      object: itself,
      type: "Normal",
      reason: "Skipped",
      message: `Job ${name} was ${message}`,
    });
    await count(lease);
  }

  /** Nobody comes back to it: the Job is over. One is left out where konductor dies just then. */
  async function count(lease: Lease): Promise<void> {
    for (let tries = 1; ; tries++) {
      const live = await client.get(LEASES, lease, parseLease);
      const status = { ...live.status, skipped: (live.status.skipped ?? 0) + 1 };
      try {
        return caches.leases.apply(await writeLeaseStatus(client, live, status, clock.nowMs()));
      } catch (error) {
        // A renewal came in between.
        if (tries >= COUNT_TRIES || !hasCode(error, "Conflict")) throw error;
      }
    }
  }

  return {
    async skip({ lease, requests, evidenceOf }) {
      const candidates = requests
        .map((request) => candidateOf(request, evidenceOf))
        .filter((candidate) => candidate !== undefined)
        // A request that was granted may not say so yet.
        .filter(({ request, job }) => request.uid !== lease.status.lastRequest && !hasHeld(lease, job.uid))
        .sort((a, b) => compareRequests(lease)(a.request, b.request));
      const waiting = candidates.filter(({ request }) => isWaiting(request));
      const tried = waiting.filter(
        ({ request, settings }) => settings.ifHeld === "skip" && isOneTry(request),
      );
      for (const candidate of [...tried, ...(await surplus(lease, waiting))]) {
        if (await deny(lease, candidate)) await complete(lease, candidate);
      }
      // Denied by an arbiter that has died since.
      for (const candidate of candidates) {
        if (isToBeSkipped(candidate)) await complete(lease, candidate);
      }
    },
  };
}

function whySkipped({ name, status }: Lease, { ifHeld, maxWaiting }: Settings): string {
  const held = `klease ${name} is held${status.hold ? ` by ${status.hold.holder}` : ""}`;
  if (ifHeld === "skip") return held;
  if (maxWaiting === 0) return `${held}, and no run of its CronJob may wait`;
  const runs = maxWaiting === 1 ? "1 run of its CronJob waits" : `${maxWaiting} runs of its CronJob wait`;
  return `${runs} for klease ${name} already`;
}

/** A pod that waits unscheduled has no gate that could hear of another answer. */
function isToBeSkipped({ request, settings }: Candidate): boolean {
  return isSkipped(request) || (request.status.phase === "Denied" && settings.ifHeld === "skip");
}

function candidateOf(request: LeaseRequest, evidenceOf: Situation["evidenceOf"]): Candidate | undefined {
  const { lease, ref } = request.spec;
  const known = ref && evidenceOf(ref);
  if (!known || !isEligible(known)) return undefined;
  const found = known.is === "job" ? wholeJob(known.job) : podsJob(lastSeen(known));
  const read = found && readSettings({ labels: { [LEASE_LABEL]: lease }, annotations: found.annotations });
  return found && read?.ok ? { request, job: found.job, settings: read.settings } : undefined;
}

function wholeJob(job: JobView) {
  // Once it has held it may have begun something.
  return hasBeenResumed(job) ? undefined : { job, annotations: job.annotations };
}

function podsJob(pod: PodView | undefined) {
  return pod?.job && { job: { namespace: pod.namespace, ...pod.job }, annotations: pod.annotations };
}
