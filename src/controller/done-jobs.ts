/**
 * Jobs that wait for work which is done already (`once`): they end Complete without having run, whether they came later or waited meanwhile.
 *
 * As for a skip, the decision is a status of the LeaseRequest, Denied/AlreadyDone, and then the Job is marked. If the arbiter dies in between,
 * the next one finds the request, and goes on. `decide()` grants no such request whatever becomes of it here. Unlike a skip this also
 * ends a Job that has begun before: what it was to do is done.
 *
 * A pod may name any Job as its owner, so whether a Job wants this work done once is read from the Job itself.
 */
import type { KubeClient } from "../kube/api.ts";
import type { EventPacer } from "../kube/event-pacer.ts";
import type { EventRecorder } from "../kube/events.ts";
import { LEASES } from "../kube/resources.ts";
import { parseLease } from "../lease/codec.ts";
import type { Situation } from "../lease/decision.ts";
import { isEligible, lastSeen } from "../lease/evidence.ts";
import { ENDED_UNRUN, isSuspendedByUser, type JobView } from "../lease/job.ts";
import { aboutRequest } from "../lease/log-fields.ts";
import { ALREADY_DONE, describeDone, doneWork, isAlreadyDone, isDone } from "../lease/once.ts";
import { isWaiting, wasGranted } from "../lease/order.ts";
import { keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import type { Caches } from "../objects/caches.ts";
import { alreadyDoneEvent } from "../objects/claimant-events.ts";
import { completeJob } from "../objects/job-completion.ts";
import { writeRequestStatus } from "../objects/lease-objects.ts";
import type { UidRef } from "../objects/live-objects.ts";
import type { Clock } from "../shared/clock.ts";
import { API_VERSION } from "../shared/names.ts";
import type { ArbiterRecorder } from "./arbiter-recorder.ts";
import type { Errands } from "./errands.ts";

export interface DoneJobsOptions {
  client: KubeClient;
  caches: Pick<Caches, "requests" | "leases">;
  errands: Errands;
  events: Pick<EventRecorder, "record">;
  recorder: Pick<ArbiterRecorder, "waited">;
  pacer: EventPacer;
  clock: Clock;
}

export interface DoneJobs {
  /** Ends the Jobs whose work is done. The Lease is at rest: no waiter can be granted it now. */
  end(situation: Situation): Promise<void>;
}

interface Claim {
  request: LeaseRequest;
  job: UidRef;
}

export function createDoneJobs({
  client,
  caches,
  errands,
  events,
  recorder,
  pacer,
  clock,
}: DoneJobsOptions): DoneJobs {
  async function deny(lease: Lease, { request }: Claim): Promise<boolean> {
    // The cache may still show what was forgotten, or a request that was granted before.
    const live = await client.get(LEASES, lease, parseLease);
    caches.leases.apply(live);
    if (live.resourceVersion !== lease.resourceVersion) return false;
    const status = { phase: "Denied", reason: ALREADY_DONE } as const;
    caches.requests.apply(await writeRequestStatus(client, request, status, clock.nowMs()));
    recorder.waited("already_done", clock.nowMs() - request.spec.requestedAtMs, request);
    return true;
  }

  async function complete(lease: Lease, { request, job }: Claim): Promise<void> {
    const key = request.spec.once ?? "";
    const why = describeDone(key, doneWork(lease.status, key));
    const isNew = await completeJob(client, job, {
      ...{ reason: ENDED_UNRUN.done, message: why, nowMs: clock.nowMs() },
      isMeant: (found) => wishes(found, lease, key) && !isSuspendedByUser(found),
    });
    if (!isNew) return;
    const { namespace, name } = job;
    pacer.tell(namespace, () => alreadyDoneEvent(job, lease.name, why));
    const itself = { apiVersion: API_VERSION, kind: "Lease", namespace, name: lease.name, uid: lease.uid };
    const message = `Job ${name} was ended without having run: ${why}`;
    events.record({ object: itself, type: "Normal", reason: ALREADY_DONE, message });
  }

  return {
    async end({ lease, requests, evidenceOf }) {
      const { hold } = lease.status;
      const holder = hold && lastSeen(evidenceOf(hold.ref));
      const holding = [hold?.ref.uid, holder?.job?.uid];
      const claims = requests
        .filter((request) => isDone(lease.status, request) || isAlreadyDone(request))
        .map((request) => claimOf(request, evidenceOf))
        .filter((claim) => claim !== undefined)
        // A request that was granted may not say so yet.
        .filter(({ request, job }) => !wasGranted(request, lease) && !holding.includes(job.uid));
      await errands.runEach(claims, (claim) => {
        const { request } = claim;
        const errand = {
          ...{ key: keyOf(lease), what: "end as done", uid: request.uid },
          about: aboutRequest(request),
        };
        return errands.run(errand, async () => {
          const isToEnd = isWaiting(request) ? await deny(lease, claim) : isAlreadyDone(request);
          if (isToEnd) await complete(lease, claim);
        });
      });
    },
  };
}

/** Whether the Job itself asks, by its template, for this work to be done once. */
function wishes({ lease, settings }: JobView, { name }: Lease, key: string): boolean {
  return lease === name && settings.ok && settings.settings.once === key;
}

function claimOf(request: LeaseRequest, evidenceOf: Situation["evidenceOf"]): Claim | undefined {
  const { ref } = request.spec;
  const known = ref && evidenceOf(ref);
  if (!known || !isEligible(known)) return undefined;
  if (known.is === "job") return { request, job: known.job };
  const pod = lastSeen(known);
  return pod?.job && { request, job: { namespace: pod.namespace, ...pod.job } };
}
