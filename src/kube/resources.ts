import { GROUP, VERSION } from "../shared/names.ts";

/** A kind of object that the API server serves, as its URL names it. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** Our Lease, not coordination.k8s.io's: see {@link ELECTION_LEASES}. */
export const LEASES = namespaced(GROUP, VERSION, "leases", "Lease");
export const LEASE_REQUESTS = namespaced(GROUP, VERSION, "leaserequests", "LeaseRequest");

export const PODS = namespaced("", "v1", "pods", "Pod");
export const SERVICES = namespaced("", "v1", "services", "Service");
export const SECRETS = namespaced("", "v1", "secrets", "Secret");
/** The core group's: `kubectl describe` reads count and timestamps, which events.k8s.io/v1 only keeps as deprecated fields. */
export const EVENTS = namespaced("", "v1", "events", "Event");
export const LIMIT_RANGES = namespaced("", "v1", "limitranges", "LimitRange");
export const NODES = clusterWide("", "v1", "nodes", "Node");
export const NAMESPACES = clusterWide("", "v1", "namespaces", "Namespace");
export const JOBS = namespaced("batch", "v1", "jobs", "Job");
export const CRON_JOBS = namespaced("batch", "v1", "cronjobs", "CronJob");
export const DEPLOYMENTS = namespaced("apps", "v1", "deployments", "Deployment");
export const CONFIG_MAPS = namespaced("", "v1", "configmaps", "ConfigMap");
export const ELECTION_LEASES = namespaced("coordination.k8s.io", "v1", "leases", "Lease");
export const TOKEN_REVIEWS = clusterWide("authentication.k8s.io", "v1", "tokenreviews", "TokenReview");
export const MUTATING_WEBHOOK_CONFIGURATIONS = clusterWide(
  "admissionregistration.k8s.io",
  "v1",
  "mutatingwebhookconfigurations",
  "MutatingWebhookConfiguration",
);

/** `v1` or `group/version`, as an object's apiVersion says it. */
export function apiVersion({ group, version }: Resource): string {
  return group === "" ? version : `${group}/${version}`;
}

/** A kind whose objects are in namespaces. */
export function namespaced(group: string, version: string, plural: string, kind: string): Resource {
  return { group, version, plural, kind, namespaced: true };
}

function clusterWide(group: string, version: string, plural: string, kind: string): Resource {
  return { group, version, plural, kind, namespaced: false };
}
