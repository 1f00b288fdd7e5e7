/** The content of konductor's image, built from the sources as they are. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildPrograms } from "../build.ts";
import { fetchPackage, readPins } from "./debian-package.ts";
import type { Entry } from "./oci-archive.ts";
import { AMD64 } from "./platform.ts";
import { rootFilesystem } from "./root-filesystem.ts";

/** The pins of the Debian packages with the libraries that Node links to. */
export const pinsPath = join(import.meta.dirname, "packages.json");

export interface KonductorEntriesOptions {
  /** The project's root; the bundles go to its `dist`. */
  readonly root: string;
  /** The folder for downloaded Debian packages. */
  readonly cacheDir: string;
  readonly tmpDir: string;
}

/** Node, its libraries, and konductor's bundles. Rejects on anything but linux-x64. */
export async function konductorEntries({
  root,
  cacheDir,
  tmpDir,
}: KonductorEntriesOptions): Promise<Entry[]> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error(
      `the image is built on linux-x64 only, and this is ${process.platform}-${process.arch}: use the Dockerfile`,
    );
  }
  const programs = await buildPrograms({ root, outDir: join(root, "dist") });
  const packages = [];
  for (const pin of await readPins(pinsPath)) packages.push(await fetchPackage(pin, cacheDir));
  const node = await readFile(join(root, "node_modules/node/bin/node"));
  return rootFilesystem({ platform: AMD64, node, packages, programs, tmpDir });
}
