import type { KubeClient } from "../kube/api.ts";
import type { Caches } from "../kube/caches.ts";
import { find } from "../kube/find.ts";
import type { JobRef } from "../kube/job-completion.ts";
import { findJob } from "../kube/job-suspension.ts";
import { PODS } from "../kube/resources.ts";
import type { Evidence } from "../lease/evidence.ts";
import type { JobView } from "../lease/job.ts";
import { type PodView, parsePod } from "../lease/pod.ts";
import type { HolderRef } from "../lease/types.ts";
import type { Clock } from "../shared/clock.ts";
import { LruMap } from "../shared/lru-map.ts";

/** A pod that is there but no longer carries our label is not watched: what a GET told of it is believed for so long. */
export const STRAY_FRESH_MS = 5_000;
/** Pods that are gone are remembered up to this number; a forgotten one is asked for again. */
const REMEMBERED_PODS = 20_000;

interface Missing {
  /** The last version seen before it left the cache. */
  last?: PodView;
  /** Whether `last` came with the deletion itself, or something was only found missing afterwards. */
  isFinal: boolean;
  /** What a live GET told, and when. */
  looked?: { pod?: PodView; job?: JobView; atMs: number };
}

/**
 * What is known of claimants: pods and Jobs. That a pod is gone is concluded from a live GET only: leaving the cache may mean that it lost
 * our label, or that the watch missed something.
 */
export interface EvidenceStore {
  evidenceOf(namespace: string, ref: HolderRef): Evidence;
  /** Asks the API server for the claimant; the answer shows in `evidenceOf`. */
  look(namespace: string, ref: HolderRef): Promise<void>;
}

export interface EvidenceStoreOptions {
  client: KubeClient;
  caches: Pick<Caches, "pods" | "jobs" | "nodes">;
  clock: Clock;
}

export function createEvidenceStore({ client, caches, clock }: EvidenceStoreOptions): EvidenceStore {
  const missing = new LruMap<string, Missing>(REMEMBERED_PODS);

  caches.pods.subscribe(({ type, object, old, finalStateKnown }) => {
    if (type === "deleted") missing.set(object.uid, { last: object, isFinal: finalStateKnown });
    else missing.delete(object.uid);
    // A pod of the same name with another uid has taken its place without a deletion being seen.
    if (old && old.uid !== object.uid) missing.set(old.uid, { last: old, isFinal: false });
  });

  function isOutOfService(node: string | undefined): boolean {
    return node !== undefined && caches.nodes.store.get(node)?.outOfService === true;
  }

  async function lookForJob(ref: JobRef): Promise<void> {
    const job = await findJob(client, ref);
    if (job?.labelled) caches.jobs.apply(job);
    const atMs = clock.monotonicMs();
    missing.set(ref.uid, { isFinal: false, looked: job ? { job, atMs } : { atMs } });
  }

  return {
    evidenceOf(namespace, ref) {
      const key = `${namespace}/${ref.name}`;
      const job = ref.kind === "Job" ? caches.jobs.store.get(key) : undefined;
      if (job?.uid === ref.uid) return { is: "job", job };
      const cached = caches.pods.store.get(key);
      if (cached?.uid === ref.uid) return { is: "present", pod: cached };
      const known = missing.get(ref.uid);
      if (!known?.looked) return { is: "unknown" };
      const { pod, job: found, atMs } = known.looked;
      if ((pod || found) && clock.monotonicMs() - atMs >= STRAY_FRESH_MS) return { is: "unknown" };
      if (found) return { is: "job", job: found };
      if (pod) return { is: "present", pod };
      const { last, isFinal } = known;
      const nodeOutOfService = isOutOfService(ref.node ?? last?.node);
      return last
        ? { is: "gone", last, isFinal, nodeOutOfService }
        : { is: "gone", isFinal, nodeOutOfService };
    },

    async look(namespace, ref) {
      if (ref.kind === "Job") return lookForJob({ namespace, ...ref });
      const pod = await getPod(client, namespace, ref);
      if (pod?.lease !== undefined) caches.pods.apply(pod);
      const atMs = clock.monotonicMs();
      // Found: whatever left the cache was not its end.
      const known = pod ? { last: pod, isFinal: false } : (missing.get(ref.uid) ?? { isFinal: false });
      missing.set(ref.uid, { ...known, looked: pod ? { pod, atMs } : { atMs } });
    },
  };
}

async function getPod(
  client: KubeClient,
  namespace: string,
  { name, uid }: HolderRef,
): Promise<PodView | undefined> {
  const pod = await find(client, PODS, { namespace, name }, parsePod);
  return pod?.uid === uid ? pod : undefined;
}
