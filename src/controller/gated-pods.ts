/**
 * Pods that wait before they are scheduled: no gate of theirs can ask, so the arbiter asks for them. Each step may be lost, or happen
 * twice.
 */
import type { KubeClient } from "../kube/api.ts";
import { BY_LEASE, type Caches } from "../kube/caches.ts";
import { createLeaseRequest } from "../kube/lease-objects.ts";
import { canUseGrant } from "../lease/pod.ts";
import { requestOfPod } from "../lease/pod-request.ts";
import { readSettings } from "../lease/settings.ts";
import type { LeaseRequest } from "../lease/types.ts";
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

/** Sees to it that every pod that waits unscheduled for the Lease `key` has a request; resolves with those that are new. */
export async function queueGatedPods(
  { client, caches, clock, systemNamespace }: GatedPodsOptions,
  key: string,
  requests: readonly LeaseRequest[],
): Promise<LeaseRequest[]> {
  const asked = new Set(requests.map(({ spec }) => spec.ref?.uid));
  const created: LeaseRequest[] = [];
  for (const pod of caches.pods.store.byIndex(BY_LEASE, key)) {
    if (!pod.gated || !canUseGrant(pod) || asked.has(pod.uid)) continue;
    const read = readSettings({
      labels: { [LEASE_LABEL]: pod.lease ?? "" },
      annotations: pod.annotations,
    });
    if (!read.ok) continue; // admission has refused what cannot be read
    const wish = { nowMs: clock.nowMs(), requestedBy: accountName(systemNamespace) };
    try {
      const request = await createLeaseRequest(client, requestOfPod(pod, read.settings, wish));
      caches.requests.apply(request);
      created.push(request);
    } catch (error) {
      // The watch has not shown it yet; a pod that is gone cannot own one.
      if (!hasCode(error, "AlreadyExists", "NotFound")) throw error;
    }
  }
  return created;
}
