import { readFileSync } from "node:fs";
import { KubeConfig } from "@kubernetes/client-node";
import { createKubeClient } from "../kube/client.ts";
import { systemClock } from "../shared/clock.ts";
import { KonductorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { awakeClock } from "./awake-clock.ts";
import type { Cluster, ClusterFlags } from "./cluster.ts";

export type { Cluster, ClusterFlags } from "./cluster.ts";

/** What client-node falls back to where there is neither a kubeconfig nor a pod. */
const NO_CLUSTER = "http://localhost:8080";

const POD_NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/**
 * The cluster that kubectl would use with these flags: `kubeconfig`, else $KUBECONFIG, else ~/.kube/config, else the pod's
 * service account. The namespace is the flag's, the context's, the pod's own, or `default`.
 */
export function connect(
  { namespace, kubeconfig, context }: ClusterFlags,
  userAgent: string,
  logger?: Logger,
): Cluster {
  const kubeConfig = new KubeConfig();
  try {
    if (kubeconfig === undefined) kubeConfig.loadFromDefault();
    else kubeConfig.loadFromFile(kubeconfig);
  } catch (error) {
    throw new KonductorError(
      "BadRequest",
      `the kubeconfig ${kubeconfig ?? "of $KUBECONFIG or ~/.kube/config"} cannot be read; name another with --kubeconfig`,
      {
        cause: error,
      },
    );
  }
  if (kubeConfig.getCurrentCluster()?.server === NO_CLUSTER) {
    throw new KonductorError(
      "BadRequest",
      "no kubeconfig was found; name one with --kubeconfig or $KUBECONFIG",
    );
  }
  if (context !== undefined) {
    if (!kubeConfig.getContexts().some(({ name }) => name === context)) {
      const known = kubeConfig.getContexts().map(({ name }) => name);
      throw new KonductorError(
        "BadRequest",
        `there is no context "${context}" in the kubeconfig; it has ${known.join(", ")}`,
      );
    }
    kubeConfig.setCurrentContext(context);
  }
  const current = kubeConfig.getContextObject(kubeConfig.getCurrentContext());
  return {
    client: createKubeClient({
      kubeConfig,
      userAgent,
      // How long a call took is told by it, also where the machine was suspended meanwhile.
      clock: awakeClock(systemClock()),
      ...(logger && { logger }),
    }),
    namespace: namespace ?? current?.namespace ?? podNamespace() ?? "default",
  };
}

function podNamespace(): string | undefined {
  try {
    return readFileSync(POD_NAMESPACE_FILE, "utf8").trim();
  } catch {
    return undefined;
  }
}
