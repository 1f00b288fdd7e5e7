import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../cluster/command.ts";

/** The fields of a cluster that kubectl needs. */
export interface KubectlTarget {
  readonly kubectlPath: string;
  readonly kubeconfigPath: string;
}

export interface Kubectl {
  /** Runs kubectl and returns its stdout; rejects with its stderr. */
  (...args: string[]): Promise<string>;
  /** Runs kubectl with `object` as its `--filename`. */
  withObject(object: unknown, ...args: string[]): Promise<string>;
}

/** The kubectl of a cluster. */
export function kubectlOf({ kubectlPath, kubeconfigPath }: KubectlTarget): Kubectl {
  const kubectl = (...args: string[]) => run(kubectlPath, [`--kubeconfig=${kubeconfigPath}`, ...args]);
  return Object.assign(kubectl, {
    async withObject(object: unknown, ...args: string[]) {
      const dir = await mkdtemp(join(tmpdir(), "konductor-kubectl-"));
      try {
        const path = join(dir, "object.json");
        await writeFile(path, JSON.stringify(object));
        return await kubectl(...args, `--filename=${path}`);
      } finally {
        await rm(dir, { recursive: true });
      }
    },
  });
}
