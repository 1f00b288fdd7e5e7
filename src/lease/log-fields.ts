/**
 * The fields by which a line of konductor's log names the Lease, hold or request that it concerns. Everybody who logs takes them from here,
 * so that one query finds all lines. Secrets are never among them, and the API bounds every name.
 */
import { requestName } from "./naming.ts";
import { claimantOf, type PodView } from "./pod.ts";
import { type ClaimantRef, type Hold, keyOf, type LeaseRequest } from "./types.ts";

/** `pod`, `job` and `request` are names in the Lease's namespace. */
export interface LogFields {
  /** `namespace/name`. */
  lease?: string;
  /** As the Lease's status names it. */
  holder?: string;
  /** The fencing token of the hold. */
  token?: number;
  /** A LeaseRequest. */
  request?: string;
  pod?: string;
  /** A Job that claims the Lease as a whole, or that was skipped. */
  job?: string;
}

interface Named {
  namespace: string;
  name: string;
}

export const aboutLease = (lease: Named) => aboutKey(keyOf(lease));

/** `key`: of the Lease. */
export const aboutKey = (key: string): { lease: string } => ({ lease: key });

/** A claimant of the Lease called `lease`. */
export function aboutClaimant(lease: string, ref: ClaimantRef): LogFields {
  if (ref.kind === "LeaseRequest") return { request: ref.name };
  return { request: requestName(lease, ref), ...aboutOwner(ref) };
}

function aboutOwner({ kind, name }: ClaimantRef): LogFields {
  return kind === "Job" ? { job: name } : { pod: name };
}

export function aboutHold(lease: Named, { holder, token, ref }: Pick<Hold, "holder" | "token" | "ref">) {
  return { ...aboutLease(lease), holder, token, ...aboutClaimant(lease.name, ref) };
}

export function aboutRequest({ namespace, name, spec, status }: LeaseRequest): LogFields {
  const { lease, holder, ref } = spec;
  return {
    ...aboutLease({ namespace, name: lease }),
    holder,
    ...(status.token !== undefined && { token: status.token }),
    request: name,
    ...(ref && aboutOwner(ref)),
  };
}

/** A pod that claims the Lease of its label, by itself or for its Job. */
export function aboutPod(pod: PodView): LogFields {
  const { namespace, name, lease } = pod;
  const claimant = claimantOf(pod);
  if (lease === undefined) return { pod: name };
  return {
    ...aboutLease({ namespace, name: lease }),
    ...(claimant && { holder: claimant.name, ...aboutClaimant(lease, claimant) }),
    pod: name,
  };
}

/** Any object, as far as its kind and name tell. */
export function aboutObject({
  kind,
  namespace = "",
  name,
}: {
  kind: string;
  namespace?: string | undefined;
  name: string;
}) {
  const known: Readonly<Record<string, LogFields>> = {
    Lease: aboutLease({ namespace, name }),
    LeaseRequest: { request: name },
    Pod: { pod: name },
    Job: { job: name },
  };
  return known[kind] ?? {};
}
