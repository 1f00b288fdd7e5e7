/**
 * The API server of the model: the newest version of everything, and every version that there was, since a watcher's cache may
 * show any of them. Writes of the Lease's status are guarded by resourceVersion, as the rules demand; `unguarded` drops that.
 */
import type { JobView } from "../../../../src/lease/job.ts";
import type { PodView } from "../../../../src/lease/pod.ts";
import type {
  ForcedRelease,
  Lease,
  LeaseRequest,
  LeaseSpec,
  LeaseStatus,
} from "../../../../src/lease/types.ts";

export type Requests = ReadonlyMap<string, LeaseRequest>;
export type Pods = ReadonlyMap<string, PodView>;
export type Jobs = ReadonlyMap<string, JobView>;

export interface Versions {
  lease: (Lease | undefined)[];
  /** By name. */
  requests: Requests[];
  /** By uid. */
  pods: Pods[];
  /** By uid. */
  jobs: Jobs[];
}

export const NAMESPACE = "ns";
export const LEASE_NAME = "nightly";
/** 2026-01-01: times of day have to be real ones, since tokens begin with them. */
export const START_MS = 1_767_225_600_000;

const NO_HOLD: LeaseStatus = { waiters: 0, history: [], conditions: [], observedGeneration: 0 };

/** What the model says when an invariant is broken; its name (I1..I5) comes first. */
export class Broken extends Error {}

export interface Api {
  readonly versions: Versions;
  lease(): Lease | undefined;
  requests(): Requests;
  pods(): Pods;
  jobs(): Jobs;
  createLease(spec: LeaseSpec): void;
  deleteLease(): void;
  /** What users and admins write: another ttl, a forced release. */
  changeLease(change: { ttlMs?: number; forced?: ForcedRelease }): void;
  /** Whether the write was accepted. */
  writeLease(read: Lease, status: LeaseStatus): boolean;
  createRequest(
    request: Omit<LeaseRequest, "uid" | "resourceVersion" | "namespace" | "createdMs" | "terminating">,
  ): void;
  /** Whether there was an object of this uid to write to. */
  writeRequest(uid: string, status: LeaseRequest["status"]): boolean;
  deleteRequest(uid: string): void;
  putPod(pod: PodView): void;
  removePod(uid: string): void;
  putJob(job: JobView): void;
  removeJob(uid: string): void;
}

export interface ApiOptions {
  now(): number;
  /** A write takes its time. */
  spend(): void;
  unguarded: boolean;
  leaseBirthMs?: number;
}

export function createApi({ now, spend, ...options }: ApiOptions): Api {
  const versions: Versions = {
    lease: [undefined],
    requests: [new Map()],
    pods: [new Map()],
    jobs: [new Map()],
  };
  let counter = 0;
  let highestToken = 0;
  const next = () => String(++counter);
  const lease = () => versions.lease.at(-1);
  const requests = () => versions.requests.at(-1) ?? new Map<string, LeaseRequest>();
  const pods = () => versions.pods.at(-1) ?? new Map<string, PodView>();
  const jobs = () => versions.jobs.at(-1) ?? new Map<string, JobView>();
  const byUid = (uid: string) => [...requests().values()].find((request) => request.uid === uid);

  /** I2: every grant has a higher token than all before it, also under a Lease that was created again. */
  function noteGrant(before: LeaseStatus, after: LeaseStatus): void {
    if (!after.hold || after.hold.token === before.hold?.token) return;
    const { token } = after.hold;
    if (token <= highestToken) throw new Broken(`I2: token ${token} was granted after ${highestToken}`);
    highestToken = token;
  }

  return {
    versions,
    lease,
    requests,
    pods,
    jobs,
    createLease(spec) {
      // A creationTimestamp has whole seconds.
      const createdMs = options.leaseBirthMs ?? Math.floor(now() / 1_000) * 1_000;
      const names = {
        namespace: NAMESPACE,
        name: LEASE_NAME,
        uid: `lease-${next()}`,
        resourceVersion: next(),
      };
      const fresh = { ...names, generation: 1, createdMs, terminating: false, spec, status: NO_HOLD };
      if (!lease()) versions.lease.push(fresh);
    },
    changeLease({ ttlMs, forced }) {
      const current = lease();
      if (!current) return;
      const spec = { ...current.spec, ...(ttlMs !== undefined && { ttlMs }) };
      versions.lease.push({ ...current, spec, resourceVersion: next(), ...(forced && { forced }) });
    },
    deleteLease() {
      if (lease()) versions.lease.push(undefined);
    },
    writeLease(read, status) {
      const current = lease();
      if (current?.uid !== read.uid) return false;
      if (!options.unguarded && current.resourceVersion !== read.resourceVersion) return false;
      noteGrant(current.status, status);
      spend();
      versions.lease.push({ ...current, resourceVersion: next(), status });
      return true;
    },
    createRequest(request) {
      if (requests().has(request.name)) return;
      const meta = { namespace: NAMESPACE, uid: `request-${next()}`, resourceVersion: next() };
      const fresh = { ...request, ...meta, createdMs: now(), terminating: false };
      versions.requests.push(new Map([...requests(), [request.name, fresh]]));
    },
    writeRequest(uid, status) {
      const request = byUid(uid);
      if (!request) return false;
      const written = { ...request, resourceVersion: next(), status };
      versions.requests.push(new Map([...requests(), [request.name, written]]));
      return true;
    },
    deleteRequest(uid) {
      if (byUid(uid))
        versions.requests.push(new Map([...requests()].filter(([, other]) => other.uid !== uid)));
    },
    putPod(pod) {
      versions.pods.push(new Map([...pods(), [pod.uid, { ...pod, resourceVersion: next() }]]));
    },
    removePod(uid) {
      if (pods().has(uid)) versions.pods.push(new Map([...pods()].filter(([other]) => other !== uid)));
    },
    putJob(job) {
      versions.jobs.push(new Map([...jobs(), [job.uid, { ...job, resourceVersion: next() }]]));
    },
    removeJob(uid) {
      if (jobs().has(uid)) versions.jobs.push(new Map([...jobs()].filter(([other]) => other !== uid)));
    },
  };
}
