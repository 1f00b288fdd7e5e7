import { KubeConfig } from "@kubernetes/client-node";
import { NAMESPACES } from "../../src/kube/resources.ts";
import {
  type KubeletEnvironmentOptions,
  startKubeletEnvironment,
} from "../../test/e2e/kubelet-environment.ts";
import { startProcessEnvironment } from "../../test/e2e/process-environment.ts";
import { BUSYBOX_IMAGE } from "../../test/e2e/workload.ts";
import { DEMO_NAMESPACE, type Place } from "./place.ts";

const DESCRIPTION = {
  kubelet: "a cluster of its own, with a real node",
  process: "a cluster of its own, whose pods run as local processes",
} as const;

/** Starts a cluster that ends with the demo. */
export async function startOwnCluster(
  node: keyof typeof DESCRIPTION,
  options: KubeletEnvironmentOptions,
): Promise<Place> {
  const start = node === "kubelet" ? startKubeletEnvironment : startProcessEnvironment;
  const { cluster, client, kubectl, stop } = await start(options);
  await client.create(NAMESPACES, { metadata: { name: DEMO_NAMESPACE } });
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(cluster.kubeconfigPath);
  return { description: DESCRIPTION[node], kubeConfig, client, kubectl, image: BUSYBOX_IMAGE, leave: stop };
}
