/** The content of the image: Node, the libraries it links to, konductor's bundles. No shell, no package manager. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { run } from "./command.ts";
import { type ElfFile, onlyLoaded, readElf } from "./elf.ts";
import type { Entry, FileEntry } from "./oci-archive.ts";
import type { Platform } from "./platform.ts";

/** `USER` of the image; deploy/deployment.yaml names the same number. */
export const NONROOT = 65532;

export interface RootFilesystemOptions {
  readonly platform: Platform;
  /** Node's program for that platform. */
  readonly node: Buffer;
  /** Paths of the Debian packages with the libraries that Node needs. */
  readonly packages: readonly string[];
  /** Paths of konductor's bundles. */
  readonly programs: readonly string[];
  /** For temporary files. */
  readonly tmpDir: string;
}

/**
 * The image's entries. Rejects if Node or a library is not made for the platform, or if a library that is needed is in none of the
 * packages, or there too old.
 */
export async function rootFilesystem(options: RootFilesystemOptions): Promise<Entry[]> {
  const { node, platform } = options;
  const elf = readElfFor(platform, node, "Node");
  const dir = await mkdtemp(join(options.tmpDir, "konductor-image-"));
  try {
    return [
      { path: "usr/bin/node", content: onlyLoaded(node, elf), mode: 0o755 },
      ...(await libraries(elf, options, dir)),
      ...(await Promise.all(options.programs.map(program))),
      // Tells Node that the bundles are ES modules, so that it need not guess.
      { path: "konductor/package.json", content: '{"type":"module"}\n' },
      { path: "usr/bin/koncli", target: "/konductor/koncli.js" },
      { path: "usr/bin/kubectl-koncli", target: "/konductor/koncli.js" },
      {
        path: "etc/passwd",
        content: `root:x:0:0::/:/sbin/nologin\nnonroot:x:${NONROOT}:${NONROOT}::/:/sbin/nologin\n`,
      },
      { path: "etc/group", content: `root:x:0:\nnonroot:x:${NONROOT}:\n` },
      { path: "etc/nsswitch.conf", content: "hosts: files dns\n" },
      { path: "tmp", directory: true, mode: 0o1777 },
    ];
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** A bundle with the interpreter's path in the image, because there is no /usr/bin/env. */
async function program(path: string): Promise<FileEntry> {
  const text = await readFile(path, "utf8");
  return {
    path: `konductor/${basename(path)}`,
    content: text.replace(/^#!.*/, "#!/usr/bin/node"),
    mode: 0o755,
  };
}

/** The libraries that Node loads, also indirectly, and the loader at the path that Node names. */
async function libraries(
  node: ElfFile,
  { platform, packages }: RootFilesystemOptions,
  dir: string,
): Promise<FileEntry[]> {
  const loader = node.interpreter;
  // A static program loads nothing.
  if (!loader) return [];
  for (const path of packages) await run("dpkg-deb", ["--extract", path, dir]);
  const files = await readdir(dir, { recursive: true });
  const names = [...node.needed, basename(loader)];
  const found = new Map<string, FileEntry & { readonly elf: ElfFile }>();
  // The list grows while it is walked.
  for (const name of names) {
    if (found.has(name)) continue;
    const file = files.find((each) => basename(each) === name && each.includes(`/${platform.triplet}/`));
    if (!file) {
      throw new Error(
        `Node needs ${name}, which is in none of ${packages.map((each) => basename(each)).join(", ")}`,
      );
    }
    const content = await readFile(join(dir, file));
    const elf = readElfFor(platform, content, name);
    const path = name === basename(loader) ? loader : `lib/${platform.triplet}/${name}`;
    found.set(name, { path, content, mode: 0o755, elf });
    names.push(...elf.needed);
  }
  const elfs = new Map([...found].map(([name, { elf }]) => [name, elf]));
  requireVersions([node, ...elfs.values()], elfs, platform);
  return [...found.values()].map(({ elf: _, ...entry }) => entry);
}

/** The loader would refuse to start Node, which nobody may see here: the image may be for other processors. */
function requireVersions(
  files: readonly ElfFile[],
  libraries: ReadonlyMap<string, ElfFile>,
  { architecture }: Platform,
): void {
  for (const { library, version } of files.flatMap((each) => each.neededVersions)) {
    if (libraries.get(library)?.definedVersions.includes(version)) continue;
    throw new Error(
      `Node for linux/${architecture} needs ${version} of ${library}, which the one in the packages does not have: it needs a newer Debian`,
    );
  }
}

function readElfFor({ architecture, machine }: Platform, content: Buffer, name: string): ElfFile {
  const elf = readElf(content, name);
  if (elf.machine !== machine) {
    throw new Error(
      `${name} for linux/${architecture} has ELF machine ${elf.machine}, expected ${machine}: it is made for other processors`,
    );
  }
  return elf;
}
