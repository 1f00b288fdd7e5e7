import type { KubeClient } from "../kube/api.ts";
import { find } from "../kube/find.ts";
import { listAll } from "../kube/list-pages.ts";
import { NODES, PODS } from "../kube/resources.ts";
import type { Evidence } from "../lease/evidence.ts";
import type { JobView } from "../lease/job.ts";
import { type PodView, parsePod } from "../lease/pod.ts";
import type { HolderRef, Lease } from "../lease/types.ts";
import type { Caches } from "../objects/caches.ts";
import { findJob, findPod, type UidRef } from "../objects/live-objects.ts";
import { parseNode } from "../objects/node-view.ts";
import type { Clock } from "../shared/clock.ts";
import { defined } from "../shared/json.ts";
import { LruMap } from "../shared/lru-map.ts";
import { LEASE_LABEL } from "../shared/names.ts";

/** How long a GET's answer is believed about a pod that has lost our label, and so is not watched. */
export const STRAY_FRESH_MS = 5_000;
/** Pods that are gone are remembered up to this number; a forgotten one is asked for again. */
const REMEMBERED_PODS = 20_000;
/** The same for Jobs that have succeeded before they were deleted. */
const REMEMBERED_JOBS = 10_000;

interface Missing {
  /** The last version seen before it left the cache. */
  last?: PodView;
  /** Whether `last` came with the deletion itself; false if the pod was only found missing afterwards. */
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
  /**
   * Looks at these claimants of the Lease by one list of its pods. Resolves with those that are not in it, of which it tells nothing: pods that
   * are gone or have lost our label, and whatever is no pod.
   */
  lookAtAll<T extends HolderRef>(
    lease: Pick<Lease, "namespace" | "name">,
    refs: readonly T[],
  ): Promise<readonly T[]>;
  /** How long ago the last answered look began; infinite: there was none. */
  lookedAgoMs(uid: string): number;
}

export interface EvidenceStoreOptions {
  client: KubeClient;
  caches: Pick<Caches, "pods" | "jobs" | "nodes">;
  clock: Clock;
}

export function createEvidenceStore({ client, caches, clock }: EvidenceStoreOptions): EvidenceStore {
  const missing = new LruMap<string, Missing>(REMEMBERED_PODS);
  /** By uid. A deletion by force sets it to 0, which the kubelet may not have heard before the pod was gone. */
  const longestGrace = new LruMap<string, number>(REMEMBERED_PODS);
  /** By uid. Hooks delete their Job as soon as it is Complete, maybe before anybody has looked at what the watch told. */
  const succeeded = new LruMap<string, true>(REMEMBERED_JOBS);

  function withLongestGrace(pod: PodView): PodView {
    const { uid, deletionGraceSeconds } = pod;
    if (deletionGraceSeconds === undefined) return pod;
    const longest = Math.max(deletionGraceSeconds, longestGrace.get(uid) ?? 0);
    longestGrace.set(uid, longest);
    return { ...pod, deletionGraceSeconds: longest };
  }
  const lookedAtMs = new LruMap<string, number>(REMEMBERED_PODS);

  caches.pods.subscribe(({ type, object, old, finalStateKnown }) => {
    const last = withLongestGrace(object);
    const known = missing.get(object.uid);
    if (type === "deleted") missing.set(object.uid, { ...known, last, isFinal: finalStateKnown });
    // A watch that lags may still show a pod that a look has found gone.
    else if (isGone(known)) missing.set(object.uid, { ...known, last, isFinal: false });
    else missing.delete(object.uid);
    // A pod of the same name with another uid has taken its place without a deletion being seen.
    if (old && old.uid !== object.uid) missing.set(old.uid, { last: old, isFinal: false });
  });

  function rememberSuccess(job: JobView | undefined): void {
    if (job?.hasSucceeded) succeeded.set(job.uid, true);
  }

  caches.jobs.subscribe(({ type, object, old }) => {
    if (type === "deleted") rememberSuccess(object);
    if (old && old.uid !== object.uid) rememberSuccess(old);
  });

  function isOutOfService(node: string | undefined): boolean {
    return node !== undefined && caches.nodes.store.get(node)?.outOfService === true;
  }

  /** A node that is Ready needs no look. That it is not Ready, or is out of service, must not rest on a stuck watch. */
  async function lookAtNode(name: string | undefined): Promise<void> {
    const cached = name === undefined ? undefined : caches.nodes.store.get(name);
    if (name === undefined || (cached?.ready && !cached.outOfService)) return;
    const node = await find(client, NODES, { name }, parseNode);
    if (node) caches.nodes.apply(node);
  }

  async function lookForJob(ref: UidRef): Promise<void> {
    const job = await findJob(client, ref);
    if (job?.labelled) caches.jobs.apply(job);
    rememberSuccess(job);
    const atMs = clock.monotonicMs();
    missing.set(ref.uid, { isFinal: false, looked: job ? { job, atMs } : { atMs } });
  }

  async function lookForPod(namespace: string, ref: HolderRef): Promise<void> {
    const pod = await findPod(client, { namespace, ...ref });
    if (pod?.lease !== undefined) caches.pods.apply(pod);
    // If the pod is found, leaving the cache was not its end. If not, the cache may still have it.
    const cached = caches.pods.store.get(`${namespace}/${ref.name}`);
    const last = pod ?? (cached?.uid === ref.uid ? cached : undefined);
    const seen: Missing = { isFinal: false, ...(last && { last: withLongestGrace(last) }) };
    const known = pod ? seen : (missing.get(ref.uid) ?? seen);
    await lookAtNode(ref.node ?? known.last?.node);
    const atMs = clock.monotonicMs();
    missing.set(ref.uid, { ...known, looked: pod ? { pod, atMs } : { atMs } });
  }

  return {
    evidenceOf(namespace, ref) {
      const key = `${namespace}/${ref.name}`;
      const job = ref.kind === "Job" ? caches.jobs.store.get(key) : undefined;
      if (job?.uid === ref.uid) return { is: "job", job };
      const known = missing.get(ref.uid);
      const cached = caches.pods.store.get(key);
      // A uid that is gone never comes back: a cache that shows it lags.
      if (cached?.uid === ref.uid && !isGone(known)) return { is: "present", pod: cached };
      if (!known?.looked) return { is: "unknown" };
      const { pod, job: found, atMs } = known.looked;
      if ((pod || found) && clock.monotonicMs() - atMs >= STRAY_FRESH_MS) return { is: "unknown" };
      if (found) return { is: "job", job: found };
      if (pod) return { is: "present", pod };
      const { last, isFinal } = known;
      const nodeOutOfService = isOutOfService(ref.node ?? last?.node);
      const hasSucceeded = succeeded.get(ref.uid);
      return { is: "gone", isFinal, nodeOutOfService, ...defined({ last, hasSucceeded }) };
    },

    async look(namespace, ref) {
      const beganAtMs = clock.monotonicMs();
      if (ref.kind === "Job") await lookForJob({ namespace, ...ref });
      else await lookForPod(namespace, ref);
      lookedAtMs.set(ref.uid, beganAtMs);
    },

    async lookAtAll({ namespace, name }, refs) {
      const beganAtMs = clock.monotonicMs();
      const scope = { namespace, labelSelector: `${LEASE_LABEL}=${name}` };
      const all = await listAll(client, PODS, scope, parsePod);
      const wanted = new Set(refs.map(({ uid }) => uid));
      const listed = all.filter(({ uid }) => wanted.has(uid));
      await Promise.all([...new Set(listed.map(({ node }) => node))].map(lookAtNode));
      // The watch may have told the end of some meanwhile, by their last version.
      const found = listed.filter(({ uid }) => !missing.get(uid)?.isFinal);
      for (const pod of found) {
        caches.pods.apply(pod);
        wanted.delete(pod.uid);
        const looked = { pod, atMs: clock.monotonicMs() };
        missing.set(pod.uid, { isFinal: false, last: withLongestGrace(pod), looked });
        lookedAtMs.set(pod.uid, beganAtMs);
      }
      return refs.filter(({ uid }) => wanted.has(uid));
    },

    lookedAgoMs: (uid) => clock.monotonicMs() - (lookedAtMs.get(uid) ?? Number.NEGATIVE_INFINITY),
  };
}

/** Whether a live GET has found no such object. */
function isGone(known: Missing | undefined): boolean {
  return known?.looked !== undefined && !known.looked.pod && !known.looked.job;
}
