/**
 * Every write of a klease or LeaseRequest, each guarded so that it happens to the very object that was read: a Conflict means
 * read again and decide again.
 */

import type { KubeClient } from "../kube/api.ts";
import { apiVersion, JOBS, LEASE_REQUESTS, LEASES, PODS } from "../kube/resources.ts";
import { formatLeaseStatus, formatRequestStatus, parseLease, parseLeaseRequest } from "../lease/codec.ts";
import { formatDuration } from "../lease/duration.ts";
import type { ClaimantRef, Lease, LeaseRequest, LeaseStatus } from "../lease/types.ts";
import { hasCode, KonductorError } from "../shared/errors.ts";
import { defined } from "../shared/json.ts";
import {
  ANNOTATION,
  CLIENT_ATTEMPT_ANNOTATION,
  CLIENT_POD_ANNOTATION,
  LEASE_LABEL,
} from "../shared/names.ts";
import { microTime } from "../shared/times.ts";

/** Writes `status` if nobody has written since `lease` was read. */
export async function writeLeaseStatus(
  client: KubeClient,
  lease: Lease,
  status: LeaseStatus,
  nowMs: number,
): Promise<Lease> {
  const { namespace, name, uid, resourceVersion } = lease;
  const written = await client.replaceStatus(
    LEASES,
    { metadata: { namespace, name, uid, resourceVersion }, status: formatLeaseStatus(lease, status, nowMs) },
    parseLease,
  );
  // An API server drops fields that its CRD does not know, and who may be running must not be forgotten.
  if ((written.status.hold?.pods?.length ?? 0) !== (status.hold?.pods?.length ?? 0)) {
    throw new KonductorError(
      "Internal",
      `klease ${namespace}/${name}: status.holderPods was not stored, since the CRD leases.konductor.io is older than konductor; ` +
        "apply konductor's manifests again",
    );
  }
  return written;
}

/** Creates a Lease that somebody waits for. AlreadyExists means that somebody else was first, and is success to the caller. */
export function createLease(
  client: KubeClient,
  { namespace, name, ttlMs }: { namespace: string; name: string; ttlMs: number },
): Promise<Lease> {
  return client.create(
    LEASES,
    { metadata: { namespace, name }, spec: { ttl: formatDuration(ttlMs) } },
    parseLease,
  );
}

export interface NewLeaseRequest {
  namespace: string;
  name: string;
  clientPod?: string | undefined;
  clientAttempt?: string | undefined;
  traceparent?: string | undefined;
  spec: LeaseRequest["spec"];
}

/** Creates a request. A pod or Job owns its request, which is deleted with it. */
export function createLeaseRequest(
  client: KubeClient,
  { namespace, name, clientPod, clientAttempt, traceparent, spec }: NewLeaseRequest,
): Promise<LeaseRequest> {
  const { lease, holder, ref, priority, ttlMs, requestedAtMs, requestedBy, waitUntilMs, gateRun, once } =
    spec;
  const annotations = defined({
    [CLIENT_POD_ANNOTATION]: clientPod,
    [CLIENT_ATTEMPT_ANNOTATION]: clientAttempt,
    [ANNOTATION.traceparent]: traceparent,
  });
  return client.create(
    LEASE_REQUESTS,
    {
      metadata: {
        namespace,
        name,
        labels: { [LEASE_LABEL]: lease },
        ...(Object.keys(annotations).length > 0 && { annotations }),
        ...(ref && {
          ownerReferences: [{ apiVersion: ownerVersion(ref), kind: ref.kind, name: ref.name, uid: ref.uid }],
        }),
      },
      spec: {
        lease,
        holder,
        requestedAt: microTime(requestedAtMs),
        ...defined({
          holderRef: ref,
          priority,
          ttl: ttlMs === undefined ? undefined : formatDuration(ttlMs),
          requestedBy,
          waitUntil: waitUntilMs === undefined ? undefined : microTime(waitUntilMs),
          gateRun,
          once,
        }),
      },
    },
    parseLeaseRequest,
  );
}

function ownerVersion({ kind }: ClaimantRef): string {
  return apiVersion(kind === "Job" ? JOBS : PODS);
}

/**
 * {@link createLeaseRequest} for a pod or Job. If it has a request already, resolves with that one. Somebody else's request under its name is
 * replaced: it would keep the claimant waiting.
 */
export async function ensureClaimantRequest(
  client: KubeClient,
  request: NewLeaseRequest,
): Promise<LeaseRequest> {
  try {
    return await createLeaseRequest(client, request);
  } catch (error) {
    if (!hasCode(error, "AlreadyExists")) throw error;
    const found = await client.get(LEASE_REQUESTS, request, parseLeaseRequest);
    if (found.spec.ref?.uid === request.spec.ref?.uid) return found;
    await deleteRequest(client, found);
    return createLeaseRequest(client, request);
  }
}

/** Replaces a request's status if nobody has written it since. */
export function writeRequestStatus(
  client: KubeClient,
  request: LeaseRequest,
  status: LeaseRequest["status"],
  nowMs: number,
): Promise<LeaseRequest> {
  const { namespace, name, uid, resourceVersion } = request;
  return client.replaceStatus(
    LEASE_REQUESTS,
    {
      metadata: { namespace, name, uid, resourceVersion },
      status: formatRequestStatus(request, status, nowMs),
    },
    parseLeaseRequest,
  );
}

/** Deletes this very request, not a later one of its name; `unchanged`: only in the version that was read. */
export async function deleteRequest(
  client: KubeClient,
  request: Pick<LeaseRequest, "namespace" | "name" | "uid"> & { resourceVersion?: string },
  { unchanged = false }: { unchanged?: boolean } = {},
): Promise<void> {
  const { namespace, name, uid, resourceVersion } = request;
  const preconditions = { uid, ...(unchanged && { resourceVersion }) };
  await client.delete(
    LEASE_REQUESTS,
    { namespace, name },
    { ...preconditions, propagationPolicy: "Background" },
  );
}
