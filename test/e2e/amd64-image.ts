/** Images of scenarios that have parts of konductor's own image. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imageCacheDir, konductorEntries } from "../../tools/image/konductor-entries.ts";
import { type Entry, type ImageConfig, writeOciArchive } from "../../tools/image/oci-archive.ts";
import { AMD64 } from "../../tools/image/platform.ts";

const root = join(import.meta.dirname, "../..");

export interface Amd64Image {
  readonly reference: string;
  readonly config: ImageConfig;
  /** The name of the archive's file. */
  readonly file: string;
  /** Paths of konductor's bundles that the image has. */
  readonly programs: readonly string[];
  /** What the image has of konductor's entries, and more. */
  choose(entries: readonly Entry[]): Promise<Entry[]>;
}

/** Writes the image's archive into `dir` and returns its path. */
export async function writeAmd64Image(
  { reference, config, file, programs, choose }: Amd64Image,
  dir: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const konductor = await konductorEntries({
    root,
    platform: AMD64,
    programs,
    cacheDir: imageCacheDir(env),
    tmpDir: tmpdir(),
  });
  const out = join(dir, file);
  const platforms = [{ architecture: AMD64.architecture, entries: await choose(konductor) }];
  await writeOciArchive({ platforms, reference, config, out });
  return out;
}
