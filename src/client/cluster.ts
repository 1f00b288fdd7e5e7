import type { KubeClient } from "../kube/api.ts";

/** Which cluster and which namespace, where they are not those that kubectl would use. */
export interface ClusterFlags {
  namespace?: string | undefined;
  /** A file. */
  kubeconfig?: string | undefined;
  context?: string | undefined;
}

export interface Cluster {
  client: KubeClient;
  namespace: string;
}
