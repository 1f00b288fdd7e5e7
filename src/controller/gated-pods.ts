/**
 * Pods that wait before they are scheduled: their gates do not run yet, so the arbiter asks for them. Each step may be lost, or happen
 * twice.
 */
import type { KubeClient } from "../kube/api.ts";
import type { EventRecorder } from "../kube/events.ts";
import { requestOf } from "../lease/claimant-request.ts";
import { aboutPod } from "../lease/log-fields.ts";
import { canUseGrant, isPastGate, type PodView } from "../lease/pod.ts";
import type { Settings } from "../lease/settings.ts";
import type { Lease, LeaseRequest } from "../lease/types.ts";
import { BY_LEASE, type Caches } from "../objects/caches.ts";
import { refusedEvent } from "../objects/claimant-events.ts";
import { ensureClaimantRequest } from "../objects/lease-objects.ts";
import { whyNoProof } from "../objects/live-objects.ts";
import type { Clock } from "../shared/clock.ts";
import { KonductorError } from "../shared/errors.ts";
import { accountName } from "../shared/names.ts";
import type { Errands } from "./errands.ts";

const ASK = "ask for pod";

export interface GatedPodsOptions {
  client: KubeClient;
  caches: Pick<Caches, "pods" | "requests">;
  errands: Errands;
  events: Pick<EventRecorder, "record">;
  clock: Clock;
  /** Where konductor itself runs. */
  systemNamespace: string;
}

/**
 * Makes sure that every pod that waits unscheduled for the Lease `key` has a request, each by an errand of its own. A pod that another
 * controller's scheduling gate holds back gets its request when that gate is gone. One that does work once, and whose success would not
 * prove it, gets none, and an event says so. For a Job with `if-held: skip` one pod tries for all; once one has been granted, the others wait
 * like any other pod.
 */
export async function queueGatedPods(
  { client, caches, errands, events, clock, systemNamespace }: GatedPodsOptions,
  lease: Lease | undefined,
  { key, requests }: { key: string; requests: readonly LeaseRequest[] },
): Promise<void> {
  const pods = caches.pods.store.byIndex(BY_LEASE, key);
  const asked = new Set(requests.map(({ spec }) => spec.ref?.uid));
  const triedJobs = new Set(pods.filter(({ uid }) => asked.has(uid)).map(({ job }) => job?.uid));
  const runningJobs = new Set(
    pods
      .filter((pod) => isPastGate(pod) || pod.uid === lease?.status.hold?.ref.uid)
      .map(({ job }) => job?.uid),
  );
  const missing: { pod: PodView; settings: Settings; isTry: boolean }[] = [];
  for (const pod of pods) {
    if (!pod.gated || pod.hasOtherGates || !canUseGrant(pod) || asked.has(pod.uid)) continue;
    if (!pod.settings.ok) continue; // admission has refused what cannot be read
    const { settings } = pod.settings;
    const isTry = settings.ifHeld === "skip" && !runningJobs.has(pod.job?.uid);
    if (isTry && triedJobs.has(pod.job?.uid)) continue;
    triedJobs.add(pod.job?.uid);
    if (!errands.rests({ key, what: ASK, uid: pod.uid })) missing.push({ pod, settings, isTry });
  }

  async function ask({ pod, settings, isTry }: (typeof missing)[number]): Promise<void> {
    const why = await whyNoProof(client, pod, settings);
    if (why) {
      events.record(refusedEvent("Pod", pod, settings.lease, why));
      throw new KonductorError("Forbidden", why);
    }
    const nowMs = clock.nowMs();
    const requestedBy = accountName(systemNamespace);
    const request = requestOf("Pod", pod, settings, { nowMs, requestedBy });
    const spec = { ...request.spec, ...(isTry && { waitUntilMs: nowMs }) };
    caches.requests.apply(await ensureClaimantRequest(client, { ...request, spec }));
  }

  await errands.runEach(missing, (one) =>
    errands.run({ key, what: ASK, uid: one.pod.uid, about: aboutPod(one.pod) }, () => ask(one)),
  );
}
