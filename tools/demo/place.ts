import type { KubeConfig } from "@kubernetes/client-node";
import type { KubeClient } from "../../src/kube/api.ts";

/** A cluster with konductor installed and a namespace for the demo, {@link DEMO_NAMESPACE}. */
export interface Place {
  /** Where it is, for people. */
  description: string;
  kubeConfig: KubeConfig;
  client: KubeClient;
  kubectl(...args: string[]): Promise<string>;
  /** The image that its nodes have in place of the examples'. */
  image?: string;
  /** Deletes the demo's namespace, or the cluster that the demo started. An installed konductor stays. */
  leave(): Promise<void>;
}

/** The demo's own. */
export const DEMO_NAMESPACE = "konductor-demo";
