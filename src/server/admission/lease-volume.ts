/**
 * The volume in which gate and keeper leave token and expiry for the user's containers (`token-file`). Its mount is the only thing that is
 * ever put into those containers.
 */
import { posix } from "node:path";
import { isOwnContainer } from "../../lease/own-container.ts";
import type { Settings } from "../../lease/settings.ts";
import { KonductorError } from "../../shared/errors.ts";
import { text } from "../../shared/json.ts";
import { ANNOTATION, LEASE_VOLUME } from "../../shared/names.ts";
import type { Path } from "./contradictions.ts";
import { leadingMesh } from "./mesh.ts";
import type { Container, PodTemplate, Volume } from "./objects.ts";

/** Volumes that the kubelet mounts read-only, whatever their mount says. */
const READ_ONLY_KINDS = ["configMap", "secret", "downwardAPI", "projected"];

type Mount = Record<string, unknown>;
/** By name. */
type Volumes = ReadonlyMap<string, Volume>;

/** `container` with the mount; the same object if it has the mount already. */
export function withLeaseMount(container: Container, mountPath: string): Container {
  const mounts = container.volumeMounts ?? [];
  if (mounts.some((mount) => isOurs(mount, mountPath))) return container;
  return { ...container, volumeMounts: [...mounts, { name: LEASE_VOLUME, mountPath, readOnly: true }] };
}

/** @throws KonductorError `Invalid` where a mount of the user's leaves no place for the files. */
export function refuseTakenPath({ tokenFile }: Settings, pod: PodTemplate, path: Path): void {
  if (tokenFile === undefined) return;
  const volumes = new Map((pod.spec.volumes ?? []).map((volume) => [volume.name, volume]));
  for (const [field, { volumeMounts = [] }] of userContainers(pod)) {
    for (const [index, mount] of volumeMounts.entries()) {
      if (isOurs(mount, tokenFile)) continue;
      const rule = obstacle(mount, tokenFile, volumes);
      if (!rule) continue;
      throw new KonductorError(
        "Invalid",
        `${path}spec.${field}.volumeMounts[${index}].mountPath: Invalid value: ${JSON.stringify(mount["mountPath"])}: ${rule}`,
      );
    }
  }
}

/** Those that run after the gate, each with its field. */
function userContainers(pod: PodTemplate): [string, Container][] {
  const { initContainers = [], containers } = pod.spec;
  const init = initContainers.filter((container) => !isOwnContainer(container));
  const afterGate = new Set(init.slice(leadingMesh(pod).length));
  return [
    ...initContainers
      .map((container, index): [string, Container] => [`initContainers[${index}]`, container])
      .filter(([, container]) => afterGate.has(container)),
    ...containers.map((container, index): [string, Container] => [`containers[${index}]`, container]),
  ];
}

function isOurs(mount: Mount, mountPath: string): boolean {
  return mount["name"] === LEASE_VOLUME && mount["readOnly"] === true && placeOf(mount) === mountPath;
}

function obstacle(mount: Mount, tokenFile: string, volumes: Volumes): string | undefined {
  const place = placeOf(mount);
  if (isWithin(place, tokenFile)) {
    return `${ANNOTATION.tokenFile} puts its files into ${tokenFile}; any path outside of it is allowed`;
  }
  if (isWithin(tokenFile, place) && isReadOnly(mount, volumes)) {
    return `it is read-only, so that ${ANNOTATION.tokenFile} ${tokenFile} cannot be mounted in it; name a path outside of it there`;
  }
  return undefined;
}

function isReadOnly(mount: Mount, volumes: Volumes): boolean {
  const volume = volumes.get(text(mount["name"]) ?? "");
  return mount["readOnly"] === true || READ_ONLY_KINDS.some((kind) => volume?.[kind] !== undefined);
}

function placeOf({ mountPath }: Mount): string {
  return posix.resolve("/", text(mountPath) ?? "");
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}
