/** The image that users build in order to call koncli in their own containers: a shell, and koncli with its Node. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPrograms } from "../../tools/build.ts";
import { imageCacheDir, konductorEntries } from "../../tools/image/konductor-entries.ts";
import { writeOciArchive } from "../../tools/image/oci-archive.ts";
import { AMD64 } from "../../tools/image/platform.ts";
import { busyboxEntries } from "../cluster/image/test-images.ts";

/** busybox and koncli. */
export const KONCLI_IMAGE = "konductor.test/koncli:1";

const root = join(import.meta.dirname, "../..");

/** Writes the archive of {@link KONCLI_IMAGE} into `dir` and returns its path. */
export async function writeKoncliImage(
  dir: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const konductor = await konductorEntries({
    root,
    platform: AMD64,
    programs: await buildPrograms({ root, outDir: join(root, "dist") }),
    cacheDir: imageCacheDir(env),
    tmpDir: tmpdir(),
  });
  const entries = konductor.filter(({ path }) => path !== "tmp");
  for await (const entry of busyboxEntries()) entries.push(entry);
  const out = join(dir, "koncli-image.tar");
  await writeOciArchive({
    platforms: [{ architecture: AMD64.architecture, entries }],
    reference: KONCLI_IMAGE,
    config: { Cmd: ["/bin/sh"], Env: ["PATH=/bin:/usr/bin"] },
    out,
  });
  return out;
}
