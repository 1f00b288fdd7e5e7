/**
 * Jobs that are skipped: they end Complete before anything of them has run. Either their Lease is held, or held back by a rule of its owner
 * (`if-held: skip`), or enough runs of their CronJob wait already (`max-waiting`).
 *
 * How a Job is ended is in unrun-jobs.ts. A request is denied only if the Lease is held, or held back, as at the look. The denial does not
 * change the Lease, so a grant may cross it. Once denied, its Job is counted in the Lease, by a write that succeeds only if the Lease is still
 * held as before. So a grant that was decided before is refused from then on, and one that is decided later sees the denial. Only then the Job
 * is ended, as it was read before that: a Job that was let run since is left alone. If konductor dies in between, it is counted twice.
 *
 * A pod proves nothing for or against a Job, since whoever creates pods may name any owner. Whether a Job is to be skipped, and whether
 * another waits before it, is read from the Jobs themselves.
 */
import type { KubeClient } from "../kube/api.ts";
import { listAll } from "../kube/list-pages.ts";
import { PODS } from "../kube/resources.ts";
import type { Situation } from "../lease/decision.ts";
import { isEligible, lastSeen } from "../lease/evidence.ts";
import { isHeldAs } from "../lease/hold.ts";
import { ENDED_UNRUN, type JobView } from "../lease/job.ts";
import { aboutRequest } from "../lease/log-fields.ts";
import { isAlreadyDone, isDone } from "../lease/once.ts";
import { compareRequests, isOneTry, isSkipped, isWaiting, SKIPPED, wasGranted } from "../lease/order.ts";
import { isPastGate, type PodView, parsePod } from "../lease/pod.ts";
import { heldBack, isFree } from "../lease/policies/held-back.ts";
import type { Settings } from "../lease/settings.ts";
import { keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import { BY_LEASE, type Caches } from "../objects/caches.ts";
import { skippedEvent } from "../objects/claimant-events.ts";
import { writeLeaseStatus } from "../objects/lease-objects.ts";
import { findLease, type UidRef } from "../objects/live-objects.ts";
import type { Clock } from "../shared/clock.ts";
import { hasCode } from "../shared/errors.ts";
import { LEASE_LABEL } from "../shared/names.ts";
import type { ArbiterRecorder } from "./arbiter-recorder.ts";
import type { Errands } from "./errands.ts";
import { createSurplusRuns, skipWish, type WaitingRun } from "./surplus-runs.ts";
import type { UnrunJobs } from "./unrun-jobs.ts";

export interface SkipsOptions {
  client: KubeClient;
  caches: Pick<Caches, "pods" | "requests" | "leases">;
  errands: Errands;
  unrunJobs: UnrunJobs;
  recorder: Pick<ArbiterRecorder, "jobSkipped">;
  clock: Clock;
}

/** The Job controller puts this label on every pod that it makes, unless the Job has a `manualSelector`. */
const CONTROLLER_UID_LABEL = "batch.kubernetes.io/controller-uid";
const COUNT_TRIES = 8;

export interface Skips {
  /** Skips the Jobs that must be skipped. The Lease is at rest: no waiter can be granted it now. */
  skip(situation: Situation): Promise<void>;
}

export function createSkips({ client, caches, errands, unrunJobs, recorder, clock }: SkipsOptions): Skips {
  const surplusRuns = createSurplusRuns({ client, errands, unrunJobs, clock });

  /** Jobs that hold, or of which a pod holds or has passed its gate: their other pods just wait. */
  function jobsPastGate(lease: Lease): ReadonlySet<string | undefined> {
    const holderUid = lease.status.hold?.ref.uid;
    const pods = caches.pods.store.byIndex(BY_LEASE, keyOf(lease));
    const past = pods.filter((pod) => isPastGate(pod) || pod.uid === holderUid);
    return new Set([holderUid, ...past.map(({ job }) => job?.uid)]);
  }

  /** {@link jobsPastGate}, after a live list of the Lease's pods (`more` narrows it). */
  async function lookPastGate(lease: Lease, more = ""): Promise<ReadonlySet<string | undefined>> {
    const { namespace, name } = lease;
    const labelSelector = `${LEASE_LABEL}=${name}${more}`;
    for (const pod of await listAll(client, PODS, { namespace, labelSelector }, parsePod))
      caches.pods.apply(pod);
    return jobsPastGate(lease);
  }

  /**
   * Which of the Lease's Jobs have begun, by one live list for all that are to be skipped now: the cache may lag. A pod that is let through
   * later changes the Lease.
   */
  function lookAtPods(lease: Lease): () => Promise<ReadonlySet<string | undefined>> {
    let look: Promise<ReadonlySet<string | undefined>> | undefined;
    return () => {
      look ??= lookPastGate(lease);
      return look;
    };
  }

  /** Its request was denied, but other pods of the Job may have been granted since. */
  async function hasBegunSince(lease: Lease, { uid }: UidRef): Promise<boolean> {
    return (await lookPastGate(lease, `,${CONTROLLER_UID_LABEL}=${uid}`)).has(uid);
  }

  /**
   * Counts `more` skipped Jobs in the Lease, after their requests were denied. Resolves with false if the Lease is no longer held as before:
   * its change calls for the next look at it, which goes on.
   */
  async function count(lease: Lease, more: 1 | -1): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      const live = await findLease(client, caches.leases, lease);
      if (live?.uid !== lease.uid || (more > 0 && !isHeldAs(lease, live))) return false;
      const status = { ...live.status, skipped: Math.max(0, (live.status.skipped ?? 0) + more) };
      try {
        caches.leases.apply(await writeLeaseStatus(client, live, status, clock.nowMs()));
        return true;
      } catch (error) {
        // A renewal came in between.
        if (tries >= COUNT_TRIES || !hasCode(error, "Conflict")) throw error;
      }
    }
  }

  async function deny(
    lease: Lease,
    { request, job }: WaitingRun,
    begun: () => Promise<ReadonlySet<string | undefined>>,
  ): Promise<boolean> {
    if ((await begun()).has(job.uid)) return false;
    return unrunJobs.deny(lease, request, SKIPPED);
  }

  async function complete(
    lease: Lease,
    candidate: WaitingRun,
    begun: () => Promise<ReadonlySet<string | undefined>>,
  ): Promise<void> {
    const { job, settings } = candidate;
    if ((await begun()).has(job.uid) || (await hasBegunSince(lease, job))) return;
    let isCounted = false;
    let isNew = false;
    try {
      const why = whySkipped(lease, settings, clock.nowMs());
      isNew = await unrunJobs.end(lease, candidate, {
        ...{ reason: ENDED_UNRUN.held, message: `skipped: ${why}`, onJob: skippedEvent(job, why) },
        wish: skipWish(settings),
        async isStill() {
          isCounted = await count(lease, 1);
          return isCounted;
        },
        onLease: `Job ${job.name} was skipped: ${why}`,
      });
    } finally {
      if (isCounted && !isNew) await count(lease, -1);
    }
    if (isNew) recorder.jobSkipped();
  }

  return {
    async skip(situation) {
      const { lease, requests, evidenceOf } = situation;
      const past = jobsPastGate(lease);
      const begun = lookAtPods(lease);
      const candidates = requests
        // What is done already is no matter of who holds: see done-jobs.ts.
        .filter((request) => !isDone(lease.status, request) && !isAlreadyDone(request))
        .map((request) => candidateOf(request, evidenceOf))
        .filter((candidate) => candidate !== undefined)
        // A request that was granted may not say so yet.
        .filter(({ request, job }) => !wasGranted(request, lease) && !past.has(job.uid))
        .sort((a, b) => compareRequests(lease)(a.request, b.request));
      const waiting = candidates.filter(({ request }) => isWaiting(request));
      const tried = waiting.filter(
        ({ request, settings }) => settings.ifHeld === "skip" && isOneTry(request) && !isFree(situation),
      );
      const skip = (candidate: WaitingRun, work: () => Promise<void>) =>
        errands.run(
          {
            key: keyOf(lease),
            what: "skip",
            uid: candidate.request.uid,
            about: aboutRequest(candidate.request),
          },
          work,
        );
      const first = tried.map((run) => ({ run, isStill: async () => true }));
      await errands.runEach([...first, ...(await surplusRuns.find(lease, waiting))], ({ run, isStill }) =>
        skip(run, async () => {
          if ((await isStill()) && (await deny(lease, run, begun))) await complete(lease, run, begun);
        }),
      );
      // Denied by an arbiter that has died since.
      const left = candidates
        .filter(isToBeSkipped)
        .filter(({ job, settings }) => !unrunJobs.isSettled(lease, job, skipWish(settings)));
      await errands.runEach(left, (candidate) => skip(candidate, () => complete(lease, candidate, begun)));
    },
  };
}

function whySkipped(lease: Lease, { ifHeld, maxWaiting }: Settings, nowMs: number): string {
  const { name, status } = lease;
  const rule = status.hold ? undefined : heldBack(lease, nowMs);
  // Denied in an earlier look: by whom it was held then is not known any more.
  const now = rule ? `is ${rule.why}` : "was held when it asked";
  const held = `klease ${name} ${status.hold ? `is held by ${status.hold.holder}` : now}`;
  if (ifHeld === "skip") return held;
  if (maxWaiting === 0) return `${held}, and no run of its CronJob may wait`;
  const runs = maxWaiting === 1 ? "1 run of its CronJob waits" : `${maxWaiting} runs of its CronJob wait`;
  return `${runs} for klease ${name} already`;
}

/** Whatever its denial says: a pod that waits unscheduled has no gate that could hear it. */
function isToBeSkipped({ request, settings }: WaitingRun): boolean {
  return isSkipped(request) || (request.status.phase === "Denied" && settings.ifHeld === "skip");
}

function candidateOf(request: LeaseRequest, evidenceOf: Situation["evidenceOf"]): WaitingRun | undefined {
  const { ref } = request.spec;
  const known = ref && evidenceOf(ref);
  if (!known || !isEligible(known)) return undefined;
  const found = known.is === "job" ? wholeJob(known.job) : podsJob(lastSeen(known));
  return found?.read.ok ? { request, job: found.job, settings: found.read.settings } : undefined;
}

function wholeJob(job: JobView) {
  // Once it has held it may have begun something.
  return job.resumed ? undefined : { job, read: job.settings };
}

function podsJob(pod: PodView | undefined) {
  return pod?.job && { job: { namespace: pod.namespace, ...pod.job }, read: pod.settings };
}
