/**
 * Writes an OCI image with one layer for each platform as an archive that containerd, podman and Docker import, without a container engine.
 * The same input gives the same bytes: entries are sorted, owned by root and dated 1970.
 * Formats: OCI image-spec v1 (image layout, manifest, config), POSIX ustar.
 */
import { createHash, randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** An entry of the image's file system. Paths are relative to `/`; missing parent directories are added. */
export type Entry = FileEntry | LinkEntry | DirectoryEntry;

export interface FileEntry {
  readonly path: string;
  readonly content: Uint8Array | string;
  /** Default 0o644. */
  readonly mode?: number;
}

export interface LinkEntry {
  readonly path: string;
  /** What the symbolic link points to. */
  readonly target: string;
}

export interface DirectoryEntry {
  readonly path: string;
  readonly directory: true;
  /** Default 0o755. */
  readonly mode?: number;
}

/** `config` of the OCI image configuration; field names are the format's. */
export interface ImageConfig {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
}

/** The image's content for one kind of node. */
export interface PlatformContent {
  /** Go's name of the architecture: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly entries: Iterable<Entry> | AsyncIterable<Entry>;
}

export interface OciArchive {
  readonly platforms: readonly PlatformContent[];
  /** `name:tag`, as a pod spec names it: `konductor:0.1.0` or `registry.example/konductor:0.1.0`. */
  readonly reference: string;
  readonly config: ImageConfig;
  /** Path of the archive, which appears complete or not at all. */
  readonly out: string;
}

export interface WrittenImage {
  /** Digest of the image's index, which a pod spec names after `@` for whatever node. */
  readonly digest: string;
  readonly platforms: readonly WrittenPlatform[];
  readonly archiveBytes: number;
}

export interface WrittenPlatform {
  readonly architecture: string;
  /** Digest of the manifest. */
  readonly digest: string;
  readonly layerBytes: number;
}

const MEDIA_TYPE = "application/vnd.oci.image";
const OS = "linux";

/**
 * Writes the archive. Its index.json has one entry, the image's own index, which has the manifests: the name stands for all platforms, and
 * each node takes its own. Rejects if ustar cannot hold an entry, or if two entries have the same path.
 */
export async function writeOciArchive({
  platforms,
  reference,
  config,
  out,
}: OciArchive): Promise<WrittenImage> {
  const images = await Promise.all(platforms.map((platform) => platformImage(platform, config)));
  const index = indexOf(
    images.map(({ architecture, manifest }) => ({
      ...descriptor("manifest.v1+json", manifest),
      platform: { architecture, os: OS },
    })),
  );
  const named = { ...descriptor("index.v1+json", index), annotations: nameAnnotations(reference) };
  // By digest: what two platforms have in common is there once.
  const blobs = new Map(
    [...images.flatMap((image) => [image.config, image.manifest, image.layer]), index].map((blob) => [
      sha256(blob),
      blob,
    ]),
  );
  const archive = tar([
    { path: "blobs", directory: true },
    { path: "blobs/sha256", directory: true },
    ...[...blobs].map(([digest, content]) => ({ path: `blobs/sha256/${digest}`, content })),
    { path: "index.json", content: indexOf([named]) },
    { path: "oci-layout", content: json({ imageLayoutVersion: "1.0.0" }) },
  ]);
  await writeWhole(out, archive);
  return {
    digest: named.digest,
    platforms: images.map(({ architecture, manifest, layer }) => ({
      architecture,
      digest: digestOf(manifest),
      layerBytes: layer.length,
    })),
    archiveBytes: archive.length,
  };
}

async function platformImage({ architecture, entries }: PlatformContent, config: ImageConfig) {
  const layerTar = tar(withParents(await collect(entries)));
  const layer = await promisify(gzip)(layerTar);
  const imageConfig = json({
    architecture,
    os: OS,
    config,
    rootfs: { type: "layers", diff_ids: [digestOf(layerTar)] },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: `${MEDIA_TYPE}.manifest.v1+json`,
    config: descriptor("config.v1+json", imageConfig),
    layers: [descriptor("layer.v1.tar+gzip", layer)],
  });
  return { architecture, config: imageConfig, manifest, layer };
}

function indexOf(manifests: readonly object[]): Buffer {
  return json({ schemaVersion: 2, mediaType: `${MEDIA_TYPE}.index.v1+json`, manifests });
}

/** containerd looks an image up by its full name: a bare `konductor:1` in a pod spec means `docker.io/library/konductor:1`. */
export function fullReference(reference: string): string {
  const [first = "", ...rest] = reference.split("/");
  if (rest.length === 0) return `docker.io/library/${reference}`;
  return /[.:]/.test(first) || first === "localhost" ? reference : `docker.io/${reference}`;
}

function nameAnnotations(reference: string): Record<string, string> {
  const tag = /:([\w.-]+)$/.exec(reference)?.[1];
  if (!tag) throw new Error(`image reference ${JSON.stringify(reference)} has no tag: write name:tag`);
  return { "io.containerd.image.name": fullReference(reference), "org.opencontainers.image.ref.name": tag };
}

async function collect(entries: PlatformContent["entries"]): Promise<Entry[]> {
  const all: Entry[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

/** Sorts the entries, and adds missing parent directories. */
function withParents(entries: readonly Entry[]): Entry[] {
  const byPath = new Map<string, Entry>();
  for (const entry of entries) {
    const path = entry.path.replace(/^[./]*\/|\/$/g, "");
    if (byPath.has(path)) throw new Error(`the image has two entries named ${path}`);
    byPath.set(path, { ...entry, path });
  }
  for (const path of [...byPath.keys()]) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      const parent = path.slice(0, at);
      if (!byPath.has(parent)) byPath.set(parent, { path: parent, directory: true });
    }
  }
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

const BLOCK = 512;

function tar(entries: readonly Entry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = "content" in entry ? Buffer.from(entry.content) : Buffer.alloc(0);
    return [header(entry, content.length), content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

/** A ustar header (IEEE 1003.1, pax: "ustar Interchange Format"). */
function header(entry: Entry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const text = (value: string, offset: number, length: number) => {
    if (Buffer.byteLength(value) > length) throw new Error(`${entry.path}: ${value} is too long for ustar`);
    block.write(value, offset);
  };
  const octal = (value: number, offset: number, length: number) =>
    text(value.toString(8).padStart(length - 1, "0"), offset, length);
  const { name, prefix } = splitPath(entry);
  const { type, mode } = kindOf(entry);
  text(name, 0, 100);
  octal(mode, 100, 8);
  octal(0, 108, 8); // uid
  octal(0, 116, 8); // gid
  octal(size, 124, 12);
  octal(0, 136, 12); // mtime
  text(" ".repeat(8), 148, 8); // the checksum is computed over blanks
  text(type, 156, 1);
  text("target" in entry ? entry.target : "", 157, 100);
  text("ustar\u000000", 257, 8);
  text(prefix, 345, 155);
  const sum = block.reduce((total, byte) => total + byte, 0);
  text(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return block;
}

function kindOf(entry: Entry): { type: string; mode: number } {
  if ("target" in entry) return { type: "2", mode: 0o777 };
  if ("directory" in entry) return { type: "5", mode: entry.mode ?? 0o755 };
  return { type: "0", mode: entry.mode ?? 0o644 };
}

/** Splits a path of more than 100 bytes at a slash. */
function splitPath(entry: Entry): { name: string; prefix: string } {
  const path = "directory" in entry ? `${entry.path}/` : entry.path;
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: "" };
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
    const name = path.slice(at + 1);
    if (name && Buffer.byteLength(name) <= 100) return { name, prefix: path.slice(0, at) };
  }
  throw new Error(`${path} is too long for ustar`);
}

function descriptor(type: string, blob: Buffer): { mediaType: string; digest: string; size: number } {
  return { mediaType: `${MEDIA_TYPE}.${type}`, digest: digestOf(blob), size: blob.length };
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const sha256 = (blob: Buffer): string => createHash("sha256").update(blob).digest("hex");
const digestOf = (blob: Buffer): string => `sha256:${sha256(blob)}`;

async function writeWhole(path: string, content: Buffer): Promise<void> {
  const partial = `${path}.${randomUUID()}.partial`;
  try {
    await writeFile(partial, content);
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}
