import { readFileSync } from "node:fs";
import { createKubeClient } from "../kube/client.ts";
import { proxyFromEnvironment } from "../kube/proxy.ts";
import { systemClock } from "../shared/clock.ts";
import { KonductorError } from "../shared/errors.ts";
import { defined } from "../shared/json.ts";
import type { Logger } from "../shared/log.ts";
import { awakeClock } from "./awake-clock.ts";
import type { Cluster, ClusterFlags } from "./cluster.ts";
import { type Env, impersonationHeaders, loadKubeConfig } from "./kubeconfig.ts";

export type { Cluster, ClusterFlags } from "./cluster.ts";

const POD_NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

export interface ConnectOptions {
  userAgent: string;
  /** $KUBECONFIG, $HOME and the proxies are read from it. */
  env: Env;
  /** Whether a credential plugin may ask somebody at a terminal. */
  isInteractive?: boolean | undefined;
  logger?: Logger | undefined;
}

/**
 * The cluster that kubectl would use with these flags. The namespace is the flag's, the context's, the pod's own, or `default`.
 * Throws `BadRequest` where there is none.
 */
export function connect(
  flags: ClusterFlags,
  { userAgent, env, isInteractive, logger }: ConnectOptions,
): Cluster {
  const { kubeConfig, impersonationOf, forgetCredentials } = loadKubeConfig(
    flags.kubeconfig,
    env,
    isInteractive,
  );
  if (flags.context !== undefined) {
    const known = kubeConfig.getContexts().map(({ name }) => name);
    if (!known.includes(flags.context))
      throw new KonductorError(
        "BadRequest",
        `there is no context "${flags.context}" in the kubeconfig; it has ${known.join(", ")}`,
      );
    kubeConfig.setCurrentContext(flags.context);
  }
  const current = kubeConfig.getContextObject(kubeConfig.getCurrentContext());
  const server = kubeConfig.getCurrentCluster()?.server;
  const { as: user, asGroup: groups, asUid: uid } = flags;
  const impersonation = { ...impersonationOf(current?.user ?? ""), ...defined({ user, groups, uid }) };
  return {
    client: createKubeClient({
      kubeConfig,
      userAgent,
      onRefused: forgetCredentials,
      headers: impersonationHeaders(impersonation),
      proxyUrl: server && proxyFromEnvironment(server, env),
      timeoutMs: flags.requestTimeoutMs,
      // Measures how long a call took, including time in suspension.
      clock: awakeClock(systemClock()),
      ...(logger && { logger }),
    }),
    server: server ?? "",
    namespace: flags.namespace ?? current?.namespace ?? podNamespace() ?? "default",
  };
}

function podNamespace(): string | undefined {
  try {
    return readFileSync(POD_NAMESPACE_FILE, "utf8").trim();
  } catch {
    return undefined;
  }
}
