import type { PodView } from "../../../lease/pod.ts";
import { podTtlMs, type Settings } from "../../../lease/settings.ts";
import { keyOf } from "../../../lease/types.ts";
import { createLease } from "../../../objects/lease-objects.ts";
import { leaseMissing } from "../../../objects/lease-reporter.ts";
import { hasCode } from "../../../shared/errors.ts";
import { liveLease } from "../hold/update-lease.ts";
import type { GateApiOptions } from "../options.ts";

/**
 * Ensures that the pod's Lease exists. A missing one is created with the pod's ttl or, where the admin forbids that, reported by an event:
 * somebody else then has to create it. Resolves with whether it exists.
 */
export async function ensureLease(
  options: GateApiOptions,
  pod: PodView,
  settings: Settings,
): Promise<boolean> {
  const { client, caches, events, createMissingLeases } = options;
  const ref = { namespace: pod.namespace, name: settings.lease };
  if (caches.leases.store.get(keyOf(ref))) return true;
  if (!createMissingLeases) {
    const found = await liveLease(options, ref);
    if (found) {
      caches.leases.apply(found);
      return true;
    }
    const { namespace, name, uid } = pod;
    events.record(leaseMissing({ apiVersion: "v1", kind: "Pod", namespace, name, uid }, settings.lease));
    return false;
  }
  try {
    caches.leases.apply(await createLease(client, { ...ref, ttlMs: podTtlMs(settings, undefined) }));
  } catch (error) {
    if (!hasCode(error, "AlreadyExists")) throw error;
  }
  return true;
}
