/**
 * Whoever may still run under a deleted Lease is waited for (src/lease/unrecorded.ts). Keepers that can fence learn from their next renewal
 * that they hold nothing. The other pods are deleted, except with `on-lost: continue`, and those of a Job that waits as a whole: its
 * suspension ends them.
 */
import type { KubeClient } from "../kube/api.ts";
import type { Situation } from "../lease/decision.ts";
import { isJobOver } from "../lease/job.ts";
import { aboutPod } from "../lease/log-fields.ts";
import type { PodView } from "../lease/pod.ts";
import { mayRunUnrecorded } from "../lease/proof.ts";
import { keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import { countHolders, describeOverdue, type UnrecordedInput, unrecordedPods } from "../lease/unrecorded.ts";
import { BY_LEASE, type Caches } from "../objects/caches.ts";
import type { LeaseReporter } from "../objects/lease-reporter.ts";
import { findLease, findPod, findWholeJob } from "../objects/live-objects.ts";
import { deletePod } from "../objects/pod-deletion.ts";
import type { Errands } from "./errands.ts";
import type { LapseClock } from "./lapse-clock.ts";

type Pods = Pick<Caches, "pods">;

interface Sources {
  caches: Pods;
  evidenceOf: Situation["evidenceOf"];
  lapseClock: LapseClock;
}

/** How many pods and requests may stand for a hold that `lease` does not record, as this replica sees it. */
export function countUnrecorded(lease: Lease, requests: readonly LeaseRequest[], sources: Sources): number {
  if (lease.status.lastToken !== undefined) {
    // The klease may have been seen later than the request that it granted.
    requests.forEach(sources.lapseClock.forget);
    return 0;
  }
  return countHolders(inputOf(lease, sources), { requests, pods: podsOf(lease, sources.caches) });
}

/** Which pods and Jobs of these should have ended by now: see {@link describeOverdue}. */
export const overdueOf = (
  lease: Lease,
  requests: readonly LeaseRequest[],
  sources: Sources,
  nowMs: number,
): string | undefined =>
  describeOverdue(inputOf(lease, sources), { requests, pods: podsOf(lease, sources.caches) }, nowMs);

const inputOf = (lease: Lease, { evidenceOf, lapseClock }: Sources): UnrecordedInput => ({
  lease,
  evidenceOf,
  hasLapsed: (request) => lapseClock.hasLapsed(request, lease.spec.ttlMs),
});

/**
 * Deletes the pods that run on under a hold of a deleted Lease and cannot stop themselves. Live looks come first. A pod seen past its gate
 * before this Lease was seen to be never granted has its hold from another one. A pod that has changed since is looked at again: it may wait
 * again, or hold by now.
 */
export async function deleteUnrecorded(
  lease: Lease,
  {
    client,
    caches,
    reporter,
    errands,
  }: { client: KubeClient; caches: Pods & Pick<Caches, "leases">; reporter: LeaseReporter; errands: Errands },
): Promise<void> {
  const pods = unrecordedPods(lease, podsOf(lease, caches)).filter(runsOn);
  await errands.runEach(pods, (pod) =>
    errands.run({ key: keyOf(lease), what: "delete pod", uid: pod.uid, about: aboutPod(pod) }, async () => {
      const found = await findPod(client, pod);
      if (found?.lease !== undefined) caches.pods.apply(found);
      if (!found || !runsOn(found) || (await isLeftToJob(client, found))) return;
      const live = await findLease(client, caches.leases, lease);
      if (!live || live.status.lastToken !== undefined) return;
      if (await deletePod(client, found)) reporter.holderDeleted(live, found);
    }),
  );
}

/** Whether the pod may run on, although it is not meant to. */
function runsOn(pod: PodView): boolean {
  const { selfFencing, deletionMs, mode } = pod;
  const isStopped = selfFencing || deletionMs !== undefined || mode.onLost === "continue";
  return mayRunUnrecorded(pod) && !isStopped;
}

/**
 * Whether the pod ends with the suspension of its Job, which holds nothing. Deleted before, it would count as failed, and could cost the Job
 * its last try.
 */
async function isLeftToJob(client: KubeClient, pod: PodView): Promise<boolean> {
  const job = await findWholeJob(client, pod);
  return job !== undefined && !isJobOver(job);
}

const podsOf = (lease: Lease, { pods }: Pods) => pods.store.byIndex(BY_LEASE, keyOf(lease));
