import type { KubeClient, Parse } from "../kube/api.ts";
import { find } from "../kube/find.ts";
import { JOBS, LEASES, NAMESPACES, PODS, type Resource } from "../kube/resources.ts";
import { parseLease } from "../lease/codec.ts";
import { asks, type JobView, NEEDS_WHOLE, needsWhole, parseJob, waitsAsWhole } from "../lease/job.ts";
import { type PodView, parsePod, waitsForJob } from "../lease/pod.ts";
import type { Settings } from "../lease/settings.ts";
import { keyOf, type Lease } from "../lease/types.ts";
import { record } from "../shared/json.ts";
import { ANNOTATION } from "../shared/names.ts";
import type { Caches } from "./caches.ts";

/** An object by its identity: a later object of the same name has another uid. */
export interface UidRef {
  namespace: string;
  name: string;
  uid: string;
}

/** What identifies what was found under `ref`: whoever creates pods may name an owner by a name and a uid that are not of one object. */
export function refKey({ namespace, name, uid }: UidRef): string {
  return `${namespace}/${name} ${uid}`;
}

/**
 * The Lease, after a live read: the newest version that is known then, since an answer may come late. undefined when there is none.
 *
 * No write is guarded by two objects. So whoever writes a pod, Job or request because of what its Lease says reads that object first, then asks
 * here, and guards the write by the version that was read first: a Job that was suspended, granted and resumed in between is another version.
 */
export async function findLease(
  client: KubeClient,
  leases: Caches["leases"],
  { namespace, name }: Pick<Lease, "namespace" | "name">,
): Promise<Lease | undefined> {
  const live = await find(client, LEASES, { namespace, name }, parseLease);
  if (!live) return undefined;
  leases.apply(live);
  return leases.store.get(keyOf(live));
}

/** The pod as the API server has it now; undefined when there is none of this uid. */
export function findPod(client: KubeClient, ref: UidRef): Promise<PodView | undefined> {
  return findOfUid(client, PODS, ref, parsePod);
}

/** The same for a Job. */
export function findJob(client: KubeClient, ref: UidRef): Promise<JobView | undefined> {
  return findOfUid(client, JOBS, ref, parseJob);
}

/**
 * The Job whose hold `pod` waits for, if the Job says so too: a pod proves nothing about its Job, since whoever creates pods may name any
 * owner.
 */
export async function findWholeJob(client: KubeClient, pod: PodView): Promise<JobView | undefined> {
  const { namespace, lease, job: owner } = pod;
  const job = owner && waitsForJob(pod) ? await findJob(client, { namespace, ...owner }) : undefined;
  return job && isWholeFor(job, lease) ? job : undefined;
}

/** Whether the Job itself says that it waits as a whole for the Lease of this name. */
export function isWholeFor(job: JobView, lease: string | undefined): boolean {
  return waitsAsWhole(job) && job.lease === lease;
}

/**
 * Why the success of `pod` could not prove that its work, which is done once, is done: by its Job as it is now, which admission may never
 * have seen. undefined: it could, or the work is done each time.
 */
export async function whyNoProof(
  client: KubeClient,
  pod: PodView,
  settings: Settings,
): Promise<string | undefined> {
  if (settings.once === undefined || waitsForJob(pod)) return undefined;
  // The cache may not show yet that a Job has adopted the pod, and a gate takes a refusal as final.
  const owner = pod.job ?? (await findPod(client, pod))?.job;
  const job = owner && (await findJob(client, { namespace: pod.namespace, ...owner }));
  if (!job) return `with ${ANNOTATION.once} a pod needs its Job, and this one has no Job any more`;
  // Its Job could not be ended once the work is done, and the pod would wait for ever.
  if (!asks(job, { name: settings.lease }, ({ once }) => once === settings.once))
    return `with ${ANNOTATION.once} the label and the key have to be in the pod template of the Job too, and Job ${job.name} has others or none`;
  return needsWhole(settings, job) ? NEEDS_WHOLE : undefined;
}

async function findOfUid<T extends { uid: string }>(
  client: KubeClient,
  resource: Resource,
  { namespace, name, uid }: UidRef,
  parse: Parse<T>,
): Promise<T | undefined> {
  const object = await find(client, resource, { namespace, name }, parse);
  return object?.uid === uid ? object : undefined;
}

/** Whether the namespace terminates: anything created in it is refused as Forbidden. False if the namespace cannot be read. */
export async function isTerminating(client: KubeClient, namespace: string): Promise<boolean> {
  const object = await client.get(NAMESPACES, { name: namespace }).catch(() => undefined);
  return record(record(object)["metadata"])["deletionTimestamp"] !== undefined;
}
