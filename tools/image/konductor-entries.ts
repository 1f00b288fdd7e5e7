/** The content of konductor's image, built from the current sources. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { packageVersion } from "../build.ts";
import { fetchPackage, readPins } from "./debian-package.ts";
import { fetchNode, readNodePin } from "./node-package.ts";
import type { Entry } from "./oci-archive.ts";
import { AMD64, type Platform } from "./platform.ts";
import { rootFilesystem } from "./root-filesystem.ts";

/** The pins of the Debian packages with the libraries that Node links to. */
export const pinsPath = join(import.meta.dirname, "packages.json");
/** Which npm package holds Node for arm64. */
export const nodePinPath = join(import.meta.dirname, "node-package.json");

export interface KonductorEntriesOptions {
  /** The project's root. */
  readonly root: string;
  readonly platform: Platform;
  /** Paths of konductor's bundles. */
  readonly programs: readonly string[];
  /** The folder for downloaded packages. */
  readonly cacheDir: string;
  readonly tmpDir: string;
}

/** Node, its libraries, and konductor's bundles. Rejects on anything but linux-x64. */
export async function konductorEntries(options: KonductorEntriesOptions): Promise<Entry[]> {
  const { root, platform, programs, cacheDir, tmpDir } = options;
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error(
      `the image is built on linux-x64 only, and this is ${process.platform}-${process.arch}: use the Dockerfile`,
    );
  }
  const packages = [];
  for (const pin of await readPins(pinsPath)) {
    if (pin.architecture === platform.architecture) packages.push(await fetchPackage(pin, cacheDir));
  }
  const node = await nodeFor(platform, root, cacheDir);
  return rootFilesystem({ platform, node, packages, programs, tmpDir });
}

/** The project's own Node, or the same version for another processor. */
async function nodeFor(platform: Platform, root: string, cacheDir: string): Promise<Buffer> {
  if (platform === AMD64) return readFile(join(root, "node_modules/node/bin/node"));
  return fetchNode(await readNodePin(nodePinPath), await ownNodeVersion(root), cacheDir);
}

/** The version of the Node that npm has installed in the project. */
export function ownNodeVersion(root: string): Promise<string> {
  return packageVersion(join(root, "node_modules/node"));
}

/** Where the packages are kept that the image is made of. */
export function imageCacheDir(env: Readonly<Record<string, string | undefined>>): string {
  return join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "konductor/image");
}
