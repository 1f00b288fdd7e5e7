import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { run } from "../../test/cluster/command.ts";

/** What an overlay of `deploy/` sets: see examples/overlay. */
export interface Overlay {
  readonly namespace: string;
  /** In place of the image `konductor`. */
  readonly image: { readonly newName: string; readonly newTag: string };
  /** Folders of kustomize components beside `deploy/`, such as `certs/files`. */
  readonly components?: readonly string[];
}

/** The objects of the kustomization in `dir`, as YAML. */
export function render(kubectlPath: string, dir: string): Promise<string> {
  return run(kubectlPath, ["kustomize", dir]);
}

/** The objects of `deploy/` with an overlay over them. */
export async function renderOverlay(
  kubectlPath: string,
  deployDir: string,
  overlay: Overlay,
): Promise<string> {
  // kustomize takes no absolute path.
  const dir = await realpath(await mkdtemp(join(tmpdir(), "konductor-overlay-")));
  try {
    const deploy = relative(dir, deployDir);
    const kustomization = {
      namespace: overlay.namespace,
      resources: [deploy],
      components: overlay.components?.map((path) => join(deploy, "..", path)),
      transformers: [join(deploy, "follow")],
      images: [{ name: "konductor", ...overlay.image }],
    };
    await writeFile(join(dir, "kustomization.yaml"), JSON.stringify(kustomization));
    return await render(kubectlPath, dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}
