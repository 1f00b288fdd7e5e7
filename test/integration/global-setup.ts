/** One control plane for all integration tests, with konductor's objects but without konductor. `inject("cluster")` returns it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { buildPrograms } from "../../tools/build.ts";
import { startCluster, streamLog } from "../cluster/cluster.ts";
import { kubectlOf } from "./kubectl.ts";

const ROOT = join(import.meta.dirname, "../..");
const DEPLOY = join(ROOT, "deploy");

/** What a test needs to talk to the shared cluster, or to start one of its own. */
export interface SharedCluster {
  readonly kubeconfigPath: string;
  readonly apiServerUrl: string;
  readonly auditLogPath: string;
  readonly kubectlPath: string;
  /** konductor's programs, built. */
  readonly programsDir: string;
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
  const kubectl = kubectlOf(cluster);
  // Test files that run side by side apply these objects, too: two that create the same object at once would conflict.
  for (const path of ["namespace.yaml", "crds", "rbac.yaml", "user-roles.yaml"])
    await kubectl("apply", "-f", join(DEPLOY, path));
  await kubectl("wait", "--for=condition=Established", "-f", join(DEPLOY, "crds"));
  const programsDir = await mkdtemp(join(tmpdir(), "konductor-programs-"));
  await buildPrograms({ root: ROOT, outDir: programsDir });
  const places = { kubeconfigPath, apiServerUrl, auditLogPath, kubectlPath, programsDir };
  project.provide("cluster", { ...places, env: { ...env } });
  return async () => {
    await cluster.stop();
    await rm(programsDir, { recursive: true });
  };
}
