/** One control plane for all integration tests; `inject("cluster")` gives it to them. */
import type { TestProject } from "vitest/node";
import { startCluster, streamLog } from "../cluster/cluster.ts";

/** What a test needs to talk to the shared cluster, or to start one of its own. */
export interface SharedCluster {
  readonly kubeconfigPath: string;
  readonly apiServerUrl: string;
  readonly auditLogPath: string;
  readonly kubectlPath: string;
  /** The environment of the test run: `startCluster` asks for it. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

declare module "vitest" {
  interface ProvidedContext {
    cluster: SharedCluster;
  }
}

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const env = process.env;
  const cluster = await startCluster({
    node: "none",
    name: "integration cluster",
    env,
    log: streamLog(process.stderr),
  });
  const { kubeconfigPath, apiServerUrl, auditLogPath, kubectlPath } = cluster;
  project.provide("cluster", { kubeconfigPath, apiServerUrl, auditLogPath, kubectlPath, env: { ...env } });
  return cluster.stop;
}
