import type { KubeConfig } from "@kubernetes/client-node";
import type { KubeClient } from "../../src/kube/api.ts";

/** A cluster with konductor installed and a namespace for the demo, {@link DEMO_NAMESPACE}. */
export interface Place {
  /** Describes the cluster for people. */
  description: string;
  kubeConfig: KubeConfig;
  client: KubeClient;
  kubectl(...args: string[]): Promise<string>;
  /** The image that the cluster's nodes have instead of the examples' image. */
  image?: string;
  /** Deletes the demo's namespace, or the cluster that the demo started. An installed konductor stays. */
  leave(): Promise<void>;
}

/** The demo's own namespace. */
export const DEMO_NAMESPACE = "konductor-demo";
