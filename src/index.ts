/** What `import … from "konductor"` gives: kleases for Node programs, as koncli has them for scripts. */
export type { Cluster, ClusterFlags } from "./client/cluster.ts";
export type { ForcedRelease } from "./client/force-release.ts";
export type { KeepOptions, KeptHold } from "./client/keep-hold.ts";
export {
  type ClientHold,
  createLeaseClient,
  type HolderRef,
  type LeaseClient,
  type LeaseClientOptions,
  type Waiting,
  type Wish,
} from "./client/lease-client.ts";
export type { Released } from "./client/release.ts";
export {
  connectProgram as connect,
  type LeaseWork,
  processHolder,
  type WithLeaseOptions,
  withLease,
} from "./client/with-lease.ts";
export type { KubeClient } from "./kube/api.ts";
export { type ErrorCode, hasCode, KonductorError } from "./shared/errors.ts";
