/** Keeps the evidence of a violation: the cluster's folder is removed with the cluster. */
import { cp, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../e2e/environment.ts";

/** Paths in a cluster's folder. */
const KEPT = ["journal", "audit.log", "log", "node/pod-logs"];

/** Resolves with the folder; `files` are further contents by name. Leaves out what cannot be read. */
export async function keepEvidence(
  { cluster, kubectl, konductor }: Environment,
  seed: number,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), `konductor-chaos-${seed}-`));
  const gathered = {
    "replicas.log": konductor.logs(),
    "objects.yaml": kubectl("get", "kleases,leaserequests,jobs,pods", "--all-namespaces", "--output=yaml"),
    "events.txt": kubectl("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"),
  };
  await Promise.allSettled([
    ...KEPT.map((path) => cp(join(cluster.dir, path), join(dir, path), { recursive: true })),
    ...Object.entries(gathered).map(async ([name, content]) => writeFile(join(dir, name), await content)),
    ...Object.entries(files).map(([name, content]) => writeFile(join(dir, name), content)),
  ]);
  return dir;
}
