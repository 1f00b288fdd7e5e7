/**
 * A pod's volumes as folders below its own. Without root nothing can be mounted: each container runs in a folder of its own that has a symbolic link
 * at each mount path. A path relative to `/` therefore reaches the volume here as on a real node.
 */
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fieldValue, type PodAddresses } from "./environment.ts";
import type { NodeApi } from "./node-api.ts";
import type { Container, Pod, ProjectedSource, Volume } from "./pod.ts";

export interface PodVolumes {
  /** Host folder by volume name. */
  readonly paths: ReadonlyMap<string, string>;
  /** When the first token has to be renewed; Infinity if there is none. */
  readonly renewAtMs: number;
}

export interface VolumesInput {
  readonly pod: Pod;
  readonly addresses: PodAddresses;
  /** The pod's folder. */
  readonly dir: string;
  readonly api: NodeApi;
  readonly nowMs: number;
}

/** Creates the volumes, or rewrites their contents. Rejects while an object that a volume needs is missing. */
export async function prepareVolumes(input: VolumesInput): Promise<PodVolumes> {
  const paths = new Map<string, string>();
  let renewAtMs = Number.POSITIVE_INFINITY;
  for (const volume of input.pod.volumes) {
    const path = volume.kind === "hostPath" ? volume.path : join(volumesDir(input.dir), volume.name);
    paths.set(volume.name, path);
    await mkdir(path, { recursive: true });
    renewAtMs = Math.min(renewAtMs, await fill(volume, path, input));
  }
  return { paths, renewAtMs };
}

/** Removes the files of the pod's containers; hostPath volumes stay. */
export async function removeVolumes(dir: string): Promise<void> {
  await rm(volumesDir(dir), { recursive: true, force: true });
}

/** The working directory of a container. */
export async function containerRoot(dir: string, container: Container, volumes: PodVolumes): Promise<string> {
  const root = join(dir, "roots", container.name);
  await rm(root, { recursive: true, force: true });
  await mkdir(root, { recursive: true });
  for (const { volume, path, subPath } of container.mounts) {
    const link = join(root, path);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(volumes.paths.get(volume) ?? "/nonexistent", subPath), link);
  }
  return root;
}

function volumesDir(dir: string): string {
  return join(dir, "volumes");
}

/** Resolves with when the volume has to be filled again. */
async function fill(volume: Volume, path: string, input: VolumesInput): Promise<number> {
  if (volume.kind === "unsupported")
    throw new Error(`volume ${volume.name}: the process node does not know its kind`);
  if (volume.kind !== "projected") return Number.POSITIVE_INFINITY;
  let renewAtMs = Number.POSITIVE_INFINITY;
  for (const source of volume.sources) {
    const { files, renewAtMs: at } = await project(source, input);
    for (const [name, content] of Object.entries(files)) await writeWhole(join(path, name), content);
    renewAtMs = Math.min(renewAtMs, at);
  }
  return renewAtMs;
}

async function project(
  source: ProjectedSource,
  { pod, addresses, api, nowMs }: VolumesInput,
): Promise<{ files: Record<string, string>; renewAtMs: number }> {
  if (source.kind === "token") {
    const { token, expiresAtMs } = await api.requestToken(pod, source);
    // "it tries to refresh the token if it is older than 80 percent of its time to live, or older than 24 hours"
    const renewAtMs = nowMs + Math.min((expiresAtMs - nowMs) * 0.8, 24 * 3_600_000);
    return { files: { [source.path]: token }, renewAtMs };
  }
  const renewAtMs = Number.POSITIVE_INFINITY;
  if (source.kind === "downwardAPI") {
    const files = source.items.map(({ path, fieldPath }) => [path, fieldValue(pod, fieldPath, addresses)]);
    return { files: Object.fromEntries(files), renewAtMs };
  }
  const data = await api.objectData(source.kind, pod.namespace, source.name, source.optional);
  if (source.items.length === 0) return { files: data, renewAtMs };
  const files = source.items.flatMap(({ key, path }) => (data[key] === undefined ? [] : [[path, data[key]]]));
  return { files: Object.fromEntries(files), renewAtMs };
}

/** Writes atomically: a reader sees either the old content or the new. */
async function writeWhole(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, content, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
