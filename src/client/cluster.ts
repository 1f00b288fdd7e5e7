import type { KubeClient } from "../kube/api.ts";

/** Which cluster and which namespace, where they are not those that kubectl would use. */
export interface ClusterFlags {
  namespace?: string | undefined;
  /** A file. */
  kubeconfig?: string | undefined;
  context?: string | undefined;
  /** The user to impersonate, with its groups and uid where they are not the kubeconfig's. */
  as?: string | undefined;
  asGroup?: readonly string[] | undefined;
  asUid?: string | undefined;
  /** How long one call of the API server may take. */
  requestTimeoutMs?: number | undefined;
}

export interface Cluster {
  client: KubeClient;
  namespace: string;
  /** The API server's address, as the kubeconfig has it: for people. */
  server: string;
}
