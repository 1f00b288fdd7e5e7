/**
 * The API server of the model, with konductor's webhook in it: the newest version of the Lease and of every request, the versions of
 * the Lease that a client may still see, and the events of which a cache has taken in some. Writes of a status are guarded by
 * resourceVersion, as the rules demand; `unguarded` drops that for the Lease.
 */
import type {
  ForcedRelease,
  Lease,
  LeaseRequest,
  LeaseSpec,
  LeaseStatus,
} from "../../../../src/lease/types.ts";
import { LEASE_NAME, NAMESPACE } from "../world/api.ts";

const NO_HOLD: LeaseStatus = { waiters: 0, history: [], conditions: [], observedGeneration: 0 };

/** Shorter, and an arbiter's wrong clock could give a token again: the limit that `nextToken` states. */
const CREATED_APART_MS = 8_000;

/** What a watch says. */
export interface Told<T> {
  isGone: boolean;
  object: T;
}

export interface NewRequest {
  name: string;
  priority?: number;
  ttlMs?: number;
  /** 0: one try; undefined: no `waitUntil`. */
  waitMs: number | undefined;
}

export interface Api {
  readonly leaseEvents: readonly Told<Lease>[];
  readonly requestEvents: readonly Told<LeaseRequest>[];
  readonly leaseVersions: readonly (Lease | undefined)[];
  lease(): Lease | undefined;
  /** By name. */
  requests(): ReadonlyMap<string, LeaseRequest>;
  /** undefined where there is one, or it is too early for another. */
  createLease(spec: LeaseSpec): Lease | undefined;
  deleteLease(): void;
  /** What users and admins write. */
  changeLease(change: { spec?: Partial<LeaseSpec>; forced?: ForcedRelease }): void;
  /** What was written; undefined where somebody was faster. */
  writeLease(read: Lease, status: LeaseStatus): Lease | undefined;
  createRequest(request: NewRequest): LeaseRequest | undefined;
  /** A client's patch of `renewTime`. */
  renew(uid: string): LeaseRequest | undefined;
  writeRequest(read: LeaseRequest, status: LeaseRequest["status"]): LeaseRequest | undefined;
  /** Whether there was one like this. */
  deleteRequest(like: { uid: string; resourceVersion?: string }): boolean;
}

export interface ApiOptions {
  now(): number;
  /** The clock of the replica whose webhook is called. */
  webhookNow(): number;
  /** A write takes its time. */
  spend(): void;
  /** `uid` was granted the Lease. */
  granted(uid: string, token: number): void;
  unguarded: boolean;
  leaseBirthMs?: number;
}

export function createApi({ now, webhookNow, spend, granted, ...options }: ApiOptions): Api {
  const leaseEvents: Told<Lease>[] = [];
  const requestEvents: Told<LeaseRequest>[] = [];
  const leaseVersions: (Lease | undefined)[] = [undefined];
  const requests = new Map<string, LeaseRequest>();
  let counter = 0;
  let createdMs = Number.NEGATIVE_INFINITY;
  const next = () => String(++counter);
  const lease = () => leaseVersions.at(-1);
  const byUid = (uid: string) => [...requests.values()].find((request) => request.uid === uid);

  function putLease(object: Lease): Lease {
    leaseVersions.push(object);
    leaseEvents.push({ isGone: false, object });
    return object;
  }

  function putRequest(request: LeaseRequest): LeaseRequest {
    const object = { ...request, resourceVersion: next() };
    requests.set(object.name, object);
    requestEvents.push({ isGone: false, object });
    return object;
  }

  return {
    leaseEvents,
    requestEvents,
    leaseVersions,
    lease,
    requests: () => requests,
    createLease(spec) {
      if (lease() || now() < createdMs + CREATED_APART_MS) return undefined;
      createdMs = now();
      return putLease({
        namespace: NAMESPACE,
        name: LEASE_NAME,
        uid: `lease-${next()}`,
        resourceVersion: next(),
        generation: 1,
        // A creationTimestamp has whole seconds.
        createdMs: options.leaseBirthMs ?? Math.floor(createdMs / 1_000) * 1_000,
        terminating: false,
        spec,
        status: NO_HOLD,
      });
    },
    changeLease({ spec, forced }) {
      const current = lease();
      if (!current) return;
      const changed = { ...current, resourceVersion: next(), spec: { ...current.spec, ...spec } };
      putLease(forced ? { ...changed, forced } : changed);
    },
    deleteLease() {
      const current = lease();
      if (!current) return;
      leaseVersions.push(undefined);
      leaseEvents.push({ isGone: true, object: { ...current, resourceVersion: next() } });
    },
    writeLease(read, status) {
      const current = lease();
      if (current?.uid !== read.uid) return undefined;
      if (!options.unguarded && current.resourceVersion !== read.resourceVersion) return undefined;
      const { hold } = status;
      if (hold && hold.token !== current.status.hold?.token) granted(hold.ref.uid, hold.token);
      spend();
      return putLease({ ...current, resourceVersion: next(), status });
    },
    createRequest({ name, priority, ttlMs, waitMs }) {
      if (requests.has(name)) return undefined;
      const requestedAtMs = webhookNow();
      const waitUntilMs = waitMs === undefined ? undefined : waitMs === 0 ? requestedAtMs : now() + waitMs;
      return putRequest({
        namespace: NAMESPACE,
        name,
        uid: `request-${next()}`,
        resourceVersion: "",
        createdMs: now(),
        terminating: false,
        spec: {
          lease: LEASE_NAME,
          holder: name,
          requestedAtMs,
          ...(priority !== undefined && { priority }),
          ...(ttlMs !== undefined && { ttlMs }),
          ...(waitUntilMs !== undefined && { waitUntilMs }),
        },
        status: { phase: "Pending" },
      });
    },
    renew(uid) {
      const request = byUid(uid);
      if (!request) return undefined;
      const renewTimeMs = Math.max(webhookNow(), (request.spec.renewTimeMs ?? 0) + 1);
      return putRequest({ ...request, spec: { ...request.spec, renewTimeMs } });
    },
    writeRequest({ uid, resourceVersion }, status) {
      const request = byUid(uid);
      return request?.resourceVersion === resourceVersion ? putRequest({ ...request, status }) : undefined;
    },
    deleteRequest({ uid, resourceVersion }) {
      const request = byUid(uid);
      if (!request || (resourceVersion !== undefined && request.resourceVersion !== resourceVersion))
        return false;
      requests.delete(request.name);
      requestEvents.push({ isGone: true, object: { ...request, resourceVersion: next() } });
      return true;
    },
  };
}
