/** What `import … from "konductor"` gives: kleases for Node programs, as koncli has them for scripts. */
export type { Cluster, ClusterFlags } from "./client/cluster.ts";
export { createLeaseClient, type LeaseClientOptions } from "./client/lease-client.ts";
export type {
  ClientHold,
  ForcedReleaseOptions,
  ForceReleased,
  KeepOptions,
  KeptHold,
  LeaseClient,
  NamedHolder,
  Released,
  Waiting,
  Wish,
} from "./client/types.ts";
export {
  connectProgram as connect,
  type LeaseWork,
  processHolder,
  type WithLeaseOptions,
  withLease,
} from "./client/with-lease.ts";
export type { KubeClient } from "./kube/api.ts";
export { type ErrorCode, hasCode, KonductorError } from "./shared/errors.ts";
