/**
 * Notes claimants that konductor sends away: pods that it deletes although they visibly wait, or although their Job could end them, and Jobs
 * that it skips.
 */
import { JOBS, LEASE_REQUESTS, LEASES, PODS } from "../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../src/lease/codec.ts";
import { canUseJob, isJobOver, parseJob, waitsAsWhole } from "../../src/lease/job.ts";
import { SKIPPED } from "../../src/lease/order.ts";
import { list, record } from "../../src/shared/json.ts";
import { KONDUCTOR } from "./admission.ts";
import type { Cluster } from "./api/cluster.ts";
import type { Json } from "./api/rules.ts";
import type { Change } from "./api/store.ts";
import type { Note } from "./history.ts";
import { LEASE_NAME, metadataOf, NAMESPACE } from "./pod-object.ts";
import type { TruePod } from "./true-pod.ts";

/** How late a call may come after the look on which it is based, because of the network or a paused replica. */
const LATE_BY_MS = 70_000;

const reasonOf = (request: Json) => record(request["status"])["reason"];
const isGoing = (type: Change["type"], object: Json) =>
  type === "DELETED" || metadataOf(object)["deletionTimestamp"] !== undefined;
const ownerOf = (job: Json) => record(list(metadataOf(job)["ownerReferences"])[0])["uid"];

export function witnessDismissals({ store, scheduler }: Cluster, note: Note, pods: readonly TruePod[]): void {
  /** When each pod (by uid) last changed. */
  const changedMs = new Map<string, number>();
  /** Until when each Job (by uid) could use the klease. */
  const jobs = new Map<string, { owner: unknown; untilMs: number }>();

  function othersThan(uid: string, owner: unknown): number {
    const lease = store.find(LEASES, { namespace: NAMESPACE, name: LEASE_NAME });
    const holder = lease && parseLease(lease).status.hold?.ref.uid;
    return [...jobs].filter(
      ([other, job]) =>
        job.owner === owner && ![uid, holder].includes(other) && job.untilMs > scheduler.nowMs() - LATE_BY_MS,
    ).length;
  }

  function judgeSkip(name: string): void {
    const found = store.find(JOBS, { namespace: NAMESPACE, name });
    if (!found) return;
    const { uid, settings: read } = parseJob(found);
    if (!read.ok || read.settings.ifHeld === "skip") return;
    note({
      what: "skipped",
      who: name,
      others: othersThan(uid, ownerOf(found)),
      most: read.settings.maxWaiting,
    });
  }

  function judgeDeletion(uid: string): void {
    const pod = pods.find((one) => one.uid === uid);
    const sinceMs = Math.max(changedMs.get(uid) ?? 0, pod?.waitsSinceMs ?? Number.POSITIVE_INFINITY);
    if (pod && scheduler.nowMs() - sinceMs > LATE_BY_MS) note({ what: "dismissed", who: pod.name });
  }

  /** Judges the deletion of a pod that shares its Job's hold: a pod that holds by itself is deleted if it cannot stop itself. Nothing reverses the end of a Job, so an earlier look cannot have shown it as over. */
  function judgeLoss(pod: Json): void {
    const owner = list(metadataOf(pod)["ownerReferences"]).map(record)[0];
    const found = owner && store.find(JOBS, { namespace: NAMESPACE, name: String(owner["name"]) });
    const job = found && parseJob(found);
    if (job && waitsAsWhole(job) && job.uid === owner?.["uid"] && !isJobOver(job))
      note({ what: "taken", who: String(metadataOf(pod)["name"]), job: job.name });
  }

  store.onChange(({ type, user, resource, object, old, atMs }) => {
    const uid = String(metadataOf(object)["uid"]);
    if (resource === JOBS) {
      const known = jobs.get(uid)?.untilMs ?? Number.POSITIVE_INFINITY;
      const canUse = type !== "DELETED" && canUseJob(parseJob(object));
      jobs.set(uid, {
        owner: ownerOf(object),
        untilMs: canUse ? Number.POSITIVE_INFINITY : Math.min(known, atMs),
      });
    }
    const isOurs = user === KONDUCTOR && old !== undefined;
    if (resource === LEASE_REQUESTS && isOurs && reasonOf(object) === SKIPPED && reasonOf(old) !== SKIPPED) {
      const { ref } = parseLeaseRequest(object).spec;
      if (ref?.kind === "Job") judgeSkip(ref.name);
    }
    if (resource !== PODS) return;
    if (isOurs && isGoing(type, object) && !isGoing("MODIFIED", old)) {
      judgeDeletion(uid);
      judgeLoss(old);
    }
    changedMs.set(uid, atMs);
  });
}
