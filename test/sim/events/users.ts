/** Events by users and admins. */
import {
  ELECTION_LEASES,
  JOBS,
  LEASE_REQUESTS,
  LEASES,
  PODS,
  type Resource,
} from "../../../src/kube/resources.ts";
import { parseLease } from "../../../src/lease/codec.ts";
import { isSuspendedByUs, parseJob, waitsAsWhole } from "../../../src/lease/job.ts";
import { record, textMap } from "../../../src/shared/json.ts";
import {
  ANNOTATION,
  ELECTION_LEASE,
  FORGET_ANNOTATION,
  SUSPENDED_ANNOTATION,
  SYSTEM_NAMESPACE,
} from "../../../src/shared/names.ts";
import { ADMIN } from "../admission.ts";
import type { CallFault, CallInfo } from "../api/line.ts";
import { breakFor } from "../broken.ts";
import type { TrueJob } from "../jobs.ts";
import { noteLimits } from "../limits.ts";
import { metadataOf, NAMESPACE } from "../pod-object.ts";
import type { TruePod } from "../true-pod.ts";
import { holderOf } from "../work.ts";
import { leaseOf, type World } from "../world.ts";
import { attempt, type Event, edit, holdOf, type Kind, LEASE, pick, podOf } from "./event.ts";

/** Changes of annotations: a longer limit, and the removal of an invalid one. */
const NEW_ANNOTATIONS = [{ [ANNOTATION.maxHold]: "10m" }, { [ANNOTATION.startTimeout]: null }];

/** A variant of replacePod. */
export const BY_FORCE = 1;

export const USERS: Record<string, Kind> = {
  deletePod: {
    weight: 3,
    act(world, event) {
      const pod = podOf(world, event);
      if (pod) deletePod(world, pod);
    },
  },
  forceDeletePod: {
    weight: 2,
    profile: "harsh",
    act(world, event) {
      const pod = podOf(world, event);
      if (pod) forceDeletePod(world, pod);
    },
  },
  /** Creates a pod again under the same name as soon as it is gone, as a StatefulSet does. Drawn by drawReplacement of story.ts. */
  replacePod: {
    weight: 0,
    act(world, event) {
      const { store } = world.cluster;
      const pod = podOf(world, event);
      const found = pod && store.find(PODS, { namespace: NAMESPACE, name: pod.name });
      // The pods of a Job are made by its controller.
      if (!pod || metadataOf(found)["uid"] !== pod.uid || metadataOf(found)["ownerReferences"] !== undefined)
        return;
      let isGone = false;
      store.onChange(({ type, object }) => {
        if (isGone || type !== "DELETED" || metadataOf(object)["uid"] !== pod.uid) return;
        isGone = true;
        world.scheduler.after(event.ms % 1_000, () => attempt(() => world.createPod(pod.wish)));
      });
      if (event.kind % 2 === BY_FORCE) forceDeletePod(world, pod);
      else deletePod(world, pod);
    },
  },
  /** Only in tales: the user changes the pod's annotations. */
  annotatePod: {
    weight: 0,
    act(world, event) {
      const pod = podOf(world, event);
      if (!pod) return;
      const annotations = pick(NEW_ANNOTATIONS, event.kind);
      const ref = { namespace: NAMESPACE, name: pod.name };
      const body = { metadata: { annotations } };
      attempt(() => {
        const patched = world.cluster.store.patch(ADMIN, PODS, ref, { type: "merge", body });
        noteLimits(world.note, pod.claim, textMap(metadataOf(patched)["annotations"]));
      });
    },
  },
  deleteRequest: {
    weight: 2,
    profile: "harsh",
    act({ cluster: { store } }, { who }) {
      const request = pick(store.list(LEASE_REQUESTS, NAMESPACE), who);
      // The deletion of a client's request means that the client has ended.
      if (!request || !String(metadataOf(request)["ownerReferences"] ?? "")) return;
      attempt(() =>
        store.remove(ADMIN, LEASE_REQUESTS, {
          namespace: NAMESPACE,
          name: String(metadataOf(request)["name"]),
        }),
      );
    },
  },
  deleteLease: {
    weight: 4,
    profile: "lease",
    act: deleteLease,
  },
  /** Deletes the klease just after it was granted. */
  deleteGrantedLease: {
    weight: 2,
    profile: "lease",
    act(world, { ms }) {
      let isArmed = true;
      world.cluster.store.onChange(({ resource, object, old }) => {
        const tokenOf = (lease: unknown) => record(record(lease)["status"])["fencingToken"];
        if (!isArmed || resource !== LEASES || !old || tokenOf(object) === tokenOf(old)) return;
        isArmed = false;
        world.scheduler.after(ms % 40, () => deleteLease(world));
      });
    },
  },
  changeTtl: {
    weight: 2,
    act: (world, { kind }) => edit(world, { spec: { ttl: ["15s", "60s"][kind % 2] } }),
  },
  changePolicy: {
    weight: 2,
    act(world, { kind }) {
      // AfterExpiry is left out, since two may run with it: see docs/guarantees.md.
      edit(world, { spec: { handoverPolicy: [null, "AfterTermination"][kind % 2] } });
      const hold = holdOf(world);
      if (hold) world.note({ what: "policy", claim: hold.claim });
    },
  },
  changePriority: { weight: 1, act: (world, { kind }) => edit(world, { spec: { priority: kind % 3 } }) },
  changeRenewable: {
    weight: 1,
    act(world, { kind }) {
      const renewable = kind % 2 === 0;
      edit(world, { spec: { renewable } });
      const hold = holdOf(world);
      if (hold && !renewable) world.note({ what: "troubled", claim: hold.claim, why: "it is not renewable" });
    },
  },
  /** Pauses the klease for a while. */
  pauseLease: {
    weight: 2,
    act(world, { ms }) {
      edit(world, { spec: { paused: true, pauseReason: "repairs" } });
      world.scheduler.after(ms, () => edit(world, { spec: { paused: null, pauseReason: null } }));
    },
  },
  changeInterval: {
    weight: 1,
    act: (world, { kind }) => edit(world, { spec: { minInterval: ["5s", "20s", null][kind % 3] } }),
  },
  limitQueue: {
    weight: 1,
    act: (world, { kind }) => edit(world, { spec: { maxWaiting: [0, 1, 2, null][kind % 4] } }),
  },
  forceRelease: {
    weight: 2,
    act(world) {
      const hold = holdOf(world);
      // The end of a client is not awaited: see src/client/run-under-lease.ts.
      const isAlive =
        hold?.hold.ref.kind === "LeaseRequest" &&
        world.workers.some(({ worker }) => holderOf(worker.wish) === hold.claim && !worker.isKilled);
      if (!hold?.isSeen || isAlive || hold.vanishes) return;
      world.note({ what: "troubled", claim: hold.claim, why: "released by force" });
      edit(world, { status: { phase: "Available", holder: "" } });
    },
  },
  /** The old leader's term lasts until its next renewal, beside that of the new leader. */
  deposeLeader: {
    weight: 1,
    act({ cluster: { store } }) {
      const ref = { namespace: SYSTEM_NAMESPACE, name: ELECTION_LEASE };
      const body = { spec: { holderIdentity: "" } };
      attempt(() => store.patch(ADMIN, ELECTION_LEASES, ref, { type: "merge", body }));
    },
  },
  /** A policy forbids writes of the status of requests. */
  forbidAnswers: {
    weight: 1,
    act: (world, event) => forbid(world, event, "replaceStatus", LEASE_REQUESTS),
  },
  /** Only in tales: a quota forbids new requests. */
  forbidRequests: {
    weight: 0,
    act: (world, event) => forbid(world, event, "create", LEASE_REQUESTS),
  },
  /** Only in tales: somebody's webhook refuses that Jobs are ended. */
  forbidEnds: {
    weight: 0,
    act: (world, event) => forbid(world, event, "patch", JOBS),
  },
  /** An admin has the klease forget what was done last. Drawn by drawOnce of story.ts. */
  forgetWork: {
    weight: 0,
    act(world) {
      const found = leaseOf(world, LEASE.name);
      const [work] = (found && parseLease(found).status.done) ?? [];
      if (work) edit(world, { metadata: { annotations: { [FORGET_ANNOTATION]: work.key } } });
    },
  },
  suspendJob: { weight: 2, act: (world, event) => changeJob(world, event, true) },
  resumeJob: { weight: 1, act: (world, event) => changeJob(world, event, false) },
  deleteJob: { weight: 1, act: (world, event) => void deleteJob(world, event) },
  /** Creates the Job again under the same name, while pods of the first one may still exist. */
  replaceJob: {
    weight: 1,
    act(world, event) {
      const job = deleteJob(world, event);
      if (job) world.scheduler.after(event.ms / 10, () => attempt(() => world.createJob(job.name, job.pods)));
    },
  },
};

function deletePod({ cluster: { store }, note }: World, { name, uid, claim }: TruePod): void {
  attempt(() => store.remove(ADMIN, PODS, { namespace: NAMESPACE, name }, { uid }));
  note({ what: "troubled", claim, why: "deleted" });
}

function forceDeletePod(world: World, { name, uid, claim, keeper }: TruePod): void {
  if (!keeper || holdOf(world)?.isForced) return;
  const options = { uid, gracePeriodSeconds: 0 };
  attempt(() => world.cluster.store.remove(ADMIN, PODS, { namespace: NAMESPACE, name }, options));
  world.note({ what: "troubled", claim, why: "deleted by force" });
}

function forbid(world: World, { what, ms }: Event, forbidden: string, of: Resource): void {
  const refuse = ({ verb, resource }: CallInfo): CallFault | undefined =>
    verb === forbidden && resource === of ? { is: "refused", status: 403 } : undefined;
  breakFor(world, what, ms, () => {
    const troubles = world.slots.map(({ line }) => line.troubles);
    for (const trouble of troubles) trouble.add(refuse);
    return () => {
      for (const trouble of troubles) trouble.delete(refuse);
    };
  });
}

function deleteLease({ note, cluster: { store } }: World): void {
  note({ what: "upset", by: "deletion" });
  attempt(() => store.remove(ADMIN, LEASES, LEASE));
}

function deleteJob({ cluster: { store }, jobs, note }: World, { who }: Event): TrueJob | undefined {
  const job = pick(jobs, who);
  if (!job) return undefined;
  note({ what: "troubled", claim: job.uid, why: "deleted" });
  attempt(() => store.remove(ADMIN, JOBS, { namespace: NAMESPACE, name: job.name }));
  return job;
}

function changeJob({ cluster: { store }, jobs, note }: World, { who }: Event, suspend: boolean): void {
  const job = pick(jobs, who);
  const found = job && store.find(JOBS, { namespace: NAMESPACE, name: job.name });
  if (!job || !found) return;
  const view = parseJob(found);
  if (view.suspended === suspend || view.over || isSuspendedByUs(view)) return;
  note({ what: "troubled", claim: job.uid, why: "suspended" });
  const ref = { namespace: NAMESPACE, name: job.name };
  if (!waitsAsWhole(view)) {
    attempt(() => store.patch(ADMIN, JOBS, ref, { type: "merge", body: { spec: { suspend } } }));
    return;
  }
  // Our webhook makes the Job wait again when its user resumes it.
  const annotations = suspend ? {} : { [SUSPENDED_ANNOTATION]: "true" };
  const body = { metadata: { annotations }, spec: { suspend: true } };
  attempt(() => store.patch(ADMIN, JOBS, ref, { type: "merge", body }));
}
