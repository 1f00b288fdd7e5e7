import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { trialManifest } from "./trial-manifest.ts";
import { buildTrialPrograms, type TrialPrograms } from "./trial-programs.ts";

export interface TrialOptions {
  /** The project's root. */
  readonly root: string;
  /** Path of the manifest. */
  readonly out: string;
}

/** Builds the trial from the sources as they are, writes its manifest, and says what it holds, and its size. */
export async function writeTrial({ root, out }: TrialOptions): Promise<{
  programs: TrialPrograms;
  bytes: number;
}> {
  const programs = await buildTrialPrograms(root);
  const manifest = trialManifest(await readFile(join(root, "deploy/install.yaml"), "utf8"), programs);
  await mkdir(dirname(out), { recursive: true });
  await writeFile(out, manifest);
  return { programs, bytes: Buffer.byteLength(manifest) };
}
