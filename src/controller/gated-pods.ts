/**
 * Pods that wait before they are scheduled: no gate of theirs can ask, so the arbiter asks for them. Each step may be lost, or happen
 * twice.
 */
import type { KubeClient } from "../kube/api.ts";
import { BY_LEASE, type Caches } from "../kube/caches.ts";
import { ensureClaimantRequest } from "../kube/lease-objects.ts";
import { requestOf } from "../lease/claimant-request.ts";
import { canUseGrant, isPastGate } from "../lease/pod.ts";
import { readSettings } from "../lease/settings.ts";
import type { Lease, LeaseRequest } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { hasCode } from "../shared/errors.ts";
import { accountName, LEASE_LABEL } from "../shared/names.ts";

export interface GatedPodsOptions {
  client: KubeClient;
  caches: Pick<Caches, "pods" | "requests">;
  clock: Clock;
  /** Where konductor itself runs. */
  systemNamespace: string;
}

/**
 * Sees to it that every pod that waits unscheduled for the Lease `key` has a request; resolves with those that are new. Of a Job that is
 * skipped where the Lease is held, one pod tries it for all; once one has been granted the others wait like any other.
 */
export async function queueGatedPods(
  { client, caches, clock, systemNamespace }: GatedPodsOptions,
  lease: Lease | undefined,
  { key, requests }: { key: string; requests: readonly LeaseRequest[] },
): Promise<LeaseRequest[]> {
  const pods = caches.pods.store.byIndex(BY_LEASE, key);
  const asked = new Set(requests.map(({ spec }) => spec.ref?.uid));
  const triedJobs = new Set(pods.filter(({ uid }) => asked.has(uid)).map(({ job }) => job?.uid));
  const runningJobs = new Set(
    pods
      .filter((pod) => isPastGate(pod) || pod.uid === lease?.status.hold?.ref.uid)
      .map(({ job }) => job?.uid),
  );
  const created: LeaseRequest[] = [];
  for (const pod of pods) {
    if (!pod.gated || !canUseGrant(pod) || asked.has(pod.uid)) continue;
    const read = readSettings({
      labels: { [LEASE_LABEL]: pod.lease ?? "" },
      annotations: pod.annotations,
    });
    if (!read.ok) continue; // admission has refused what cannot be read
    const isTry = read.settings.ifHeld === "skip" && !runningJobs.has(pod.job?.uid);
    if (isTry && triedJobs.has(pod.job?.uid)) continue;
    triedJobs.add(pod.job?.uid);
    const nowMs = clock.nowMs();
    const request = requestOf("Pod", pod, read.settings, {
      nowMs,
      requestedBy: accountName(systemNamespace),
    });
    const spec = { ...request.spec, ...(isTry && { waitUntilMs: nowMs }) };
    try {
      const answer = await ensureClaimantRequest(client, { ...request, spec });
      caches.requests.apply(answer);
      created.push(answer);
    } catch (error) {
      // A pod that is gone cannot own one; somebody was faster.
      if (!hasCode(error, "AlreadyExists", "NotFound")) throw error;
    }
  }
  return created;
}
