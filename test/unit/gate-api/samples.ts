import { parseLease, parseLeaseRequest } from "../../../src/lease/codec.ts";
import type { Lease, LeaseRequest } from "../../../src/lease/types.ts";
import { memoryCache } from "./memory-cache.ts";

export const LEASE_KEY = "a/report";

/** Klease a/report, held by pod `holder` with `token`. */
export function leaseHeldBy(holder: string, token: number, status: object = {}): Lease {
  return parseLease({
    metadata: { namespace: "a", name: "report", uid: "lease", resourceVersion: `${token}` },
    spec: { ttl: "10m" },
    status: {
      phase: "Held",
      holder,
      holderRef: { kind: "Pod", name: holder, uid: holder },
      acquired: "2026-01-01T00:00:00Z",
      expires: "2026-01-01T00:10:00Z",
      fencingToken: token,
      ...status,
    },
  });
}

/** A pod's request for klease a/report, made at second `second`. */
export function requestOf(pod: string, second: number, spec: object = {}, status: object = {}): LeaseRequest {
  return parseLeaseRequest({
    metadata: { namespace: "a", name: `report-${pod}`, uid: `request-${pod}`, resourceVersion: "1" },
    spec: {
      lease: "report",
      holder: pod,
      holderRef: { kind: "Pod", name: pod, uid: pod },
      requestedAt: new Date(Date.UTC(2026, 0, 1) + second * 1_000).toISOString(),
      ...spec,
    },
    status,
  });
}

/** Empty caches, which are always up to date. */
export function memoryCaches() {
  const leases = memoryCache<Lease>();
  const requests = memoryCache<LeaseRequest>(({ namespace, spec }) => `${namespace}/${spec.lease}`);
  for (const cache of [leases, requests]) cache.lastEventMonotonicMs = Number.POSITIVE_INFINITY;
  return { leases, requests };
}
