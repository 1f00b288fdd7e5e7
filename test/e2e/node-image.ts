/** What a trial needs from outside: the smallest image that has Node where images of Node.js have it, and nothing of konductor. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imageCacheDir, konductorEntries } from "../../tools/image/konductor-entries.ts";
import { writeOciArchive } from "../../tools/image/oci-archive.ts";
import { AMD64 } from "../../tools/image/platform.ts";
import { TRIAL_IMAGE } from "../../tools/trial/trial-manifest.ts";

const root = join(import.meta.dirname, "../..");
const OF_KONDUCTOR = /^konductor\/|koncli$/;

/** Writes the archive of {@link TRIAL_IMAGE} into `dir` and returns its path. */
export async function writeNodeImage(
  dir: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const konductor = await konductorEntries({
    root,
    platform: AMD64,
    programs: [],
    cacheDir: imageCacheDir(env),
    tmpDir: tmpdir(),
  });
  const entries = konductor
    .filter(({ path }) => !OF_KONDUCTOR.test(path))
    .map((entry) => (entry.path === "usr/bin/node" ? { ...entry, path: "usr/local/bin/node" } : entry));
  const out = join(dir, "node-image.tar");
  const platforms = [{ architecture: AMD64.architecture, entries }];
  await writeOciArchive({ platforms, reference: TRIAL_IMAGE, config: {}, out });
  return out;
}
