/**
 * Jobs that wait for work which is done already (`once`): they end Complete without having run, whether they came later or waited meanwhile.
 *
 * How a Job is ended is in unrun-jobs.ts. `decide()` grants no such request whatever becomes of it here. Unlike a skip this also ends a Job
 * that has begun before: what it was to do is done.
 *
 * Nobody is ended for work that was forgotten meanwhile: its request waits again (follow-ups.ts).
 *
 * A pod may name any Job as its owner, so whether a Job wants this work done once is read from the Job itself.
 */
import type { KubeClient } from "../kube/api.ts";
import type { Situation } from "../lease/decision.ts";
import { isEligible, lastSeen } from "../lease/evidence.ts";
import { ENDED_UNRUN } from "../lease/job.ts";
import { aboutRequest } from "../lease/log-fields.ts";
import { ALREADY_DONE, describeDone, doneWork, isAlreadyDone, isDone } from "../lease/once.ts";
import { isWaiting, wasGranted } from "../lease/order.ts";
import { keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import type { Caches } from "../objects/caches.ts";
import { alreadyDoneEvent } from "../objects/claimant-events.ts";
import { findLease } from "../objects/live-objects.ts";
import type { Errands } from "./errands.ts";
import type { JobClaim, UnrunJobs, Wish } from "./unrun-jobs.ts";

export interface DoneJobsOptions {
  client: KubeClient;
  caches: Pick<Caches, "leases">;
  errands: Errands;
  unrunJobs: UnrunJobs;
}

export interface DoneJobs {
  /** Ends the Jobs whose work is done. The Lease is at rest: no waiter can be granted it now. */
  end(situation: Situation): Promise<void>;
}

export function createDoneJobs({ client, caches, errands, unrunJobs }: DoneJobsOptions): DoneJobs {
  async function complete(lease: Lease, claim: JobClaim): Promise<void> {
    const { request, job } = claim;
    const key = request.spec.once ?? "";
    const why = describeDone(key, doneWork(lease.status, key));
    await unrunJobs.end(lease, claim, {
      ...{ reason: ENDED_UNRUN.done, message: why, onJob: alreadyDoneEvent(job, lease.name, why) },
      wish: wishOf(request),
      // Its request stays denied while a refused call is tried again. Meanwhile the work may be forgotten, or the Lease deleted.
      isStill: async () => isStillDone(await findLease(client, caches.leases, lease), request),
      onLease: `Job ${job.name} was ended without having run: ${why}`,
    });
  }

  return {
    async end({ lease, requests, evidenceOf }) {
      const { hold } = lease.status;
      const holder = hold && lastSeen(evidenceOf(hold.ref));
      const holding = [hold?.ref.uid, holder?.job?.uid];
      const claims = requests
        .filter((request) => isDone(lease.status, request))
        .map((request) => claimOf(request, evidenceOf))
        .filter((claim) => claim !== undefined)
        // A request that was granted may not say so yet.
        .filter(({ request, job }) => !wasGranted(request, lease) && !holding.includes(job.uid))
        .filter(
          ({ request, job }) => isWaiting(request) || !unrunJobs.isSettled(lease, job, wishOf(request)),
        );
      await errands.runEach(claims, (claim) => {
        const { request } = claim;
        const errand = {
          ...{ key: keyOf(lease), what: "end as done", uid: request.uid },
          about: aboutRequest(request),
        };
        return errands.run(errand, async () => {
          const isToEnd = isWaiting(request)
            ? await unrunJobs.deny(lease, request, ALREADY_DONE)
            : isAlreadyDone(request);
          if (isToEnd) await complete(lease, claim);
        });
      });
    },
  };
}

const isStillDone = (lease: Lease | undefined, request: LeaseRequest) =>
  lease !== undefined && isDone(lease.status, request);

/** What a Job has to ask for to be ended. */
const wishOf = ({ spec: { once = "" } }: LeaseRequest): Wish => ({ once });

function claimOf(request: LeaseRequest, evidenceOf: Situation["evidenceOf"]): JobClaim | undefined {
  const { ref } = request.spec;
  const known = ref && evidenceOf(ref);
  if (!known || !isEligible(known)) return undefined;
  if (known.is === "job") return { request, job: known.job };
  const pod = lastSeen(known);
  return pod?.job && { request, job: { namespace: pod.namespace, ...pod.job } };
}
