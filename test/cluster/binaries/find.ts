/**
 * Finds the binaries of a Kubernetes cluster. Each comes from the first of these sources that has it: a folder that the user names, the user's cache
 * folder, the Kubernetes project's release downloads (checked against the published SHA-256), a build from Go modules (checked by go.sum). The last
 * two write into the cache folder.
 */
import { access, constants } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Log } from "../log.ts";
import { KUBERNETES_VERSION, RELEASE_BASE_URL } from "../versions.ts";
import { type BinaryName, isPublished } from "./catalog.ts";
import { download } from "./download.ts";
import { goBuild } from "./go-build.ts";

/** Absolute path by name. */
export type Binaries<Name extends BinaryName = BinaryName> = Readonly<Record<Name, string>>;

export interface BinarySources {
  /** The user's own folder of binaries. */
  readonly ownDir?: string | undefined;
  readonly cacheDir: string;
  readonly releaseBaseUrl: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

/** The sources that an environment asks for. */
export function binarySources(env: BinarySources["env"], log: Log): BinarySources {
  const cacheHome = env["XDG_CACHE_HOME"] || join(env["HOME"] || homedir(), ".cache");
  return {
    ownDir: env["KONDUCTOR_KUBE_BIN"] || undefined,
    cacheDir: join(cacheHome, "konductor", `kubernetes-${KUBERNETES_VERSION}`),
    releaseBaseUrl: RELEASE_BASE_URL,
    env,
    log,
  };
}

/** Returns the path of every binary named, after downloading or building the missing ones. */
export async function findBinaries<Name extends BinaryName>(
  names: readonly Name[],
  sources: BinarySources,
): Promise<Binaries<Name>> {
  const dirs = [sources.ownDir, sources.cacheDir].filter((dir) => dir !== undefined);
  const notOwn = sources.ownDir ? await missingFrom(names, [sources.ownDir]) : [];
  if (notOwn.length > 0) sources.log.line(`${sources.ownDir} has no ${notOwn.join(", ")}: looking elsewhere`);
  let missing = await missingFrom(names, dirs);
  await downloadPublished(missing, sources);
  missing = await missingFrom(missing, dirs);
  if (missing.length > 0) await goBuild({ ...sources, names: missing, targetDir: sources.cacheDir });
  const found = await Promise.all(names.map(async (name) => [name, await locate(name, dirs)] as const));
  return Object.fromEntries(found) as Binaries<Name>;
}

/** Downloads the published binaries. Gives up at the first failure: the next source is tried for the rest. */
async function downloadPublished(
  names: readonly BinaryName[],
  { releaseBaseUrl, cacheDir, log }: BinarySources,
) {
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  for (const name of names.filter(isPublished)) {
    log.status(`downloading ${name} ${KUBERNETES_VERSION}`);
    try {
      await download({
        url: `${releaseBaseUrl}/${KUBERNETES_VERSION}/bin/linux/${arch}/${name}`,
        target: join(cacheDir, name),
      });
    } catch (error) {
      log.line(
        `no download: ${error instanceof Error ? error.message : String(error)}. Building from source`,
      );
      return;
    }
  }
}

async function missingFrom<Name extends BinaryName>(
  names: readonly Name[],
  dirs: readonly string[],
): Promise<Name[]> {
  const paths = await Promise.all(names.map((name) => locate(name, dirs)));
  return names.filter((_, index) => paths[index] === undefined);
}

async function locate(name: BinaryName, dirs: readonly string[]): Promise<string | undefined> {
  for (const dir of dirs) {
    const path = join(dir, name);
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return path;
  }
  return undefined;
}
