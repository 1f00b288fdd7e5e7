import { KubeConfig } from "@kubernetes/client-node";
import type { KubeClient } from "../../src/kube/api.ts";
import { createKubeClient } from "../../src/kube/client.ts";

/** A client with the rights of the kubeconfig: cluster-admin, in tests. */
export function adminClient({ kubeconfigPath }: { kubeconfigPath: string }): KubeClient {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(kubeconfigPath);
  return createKubeClient({ kubeConfig, userAgent: "konductor-scenarios" });
}
