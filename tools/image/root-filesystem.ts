/** The content of the image: Node, the libraries it links to, konductor's bundles. No shell, no package manager. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { isNotInstalled, run } from "./command.ts";
import type { Entry, FileEntry } from "./oci-archive.ts";

/** `USER` of the image; deploy/deployment.yaml names the same number. */
export const NONROOT = 65532;

export interface RootFilesystemOptions {
  /** The path of the Node program for linux-x64. */
  readonly nodePath: string;
  /** Paths of the Debian packages with the libraries that Node needs. */
  readonly packages: readonly string[];
  /** Paths of konductor's bundles. */
  readonly programs: readonly string[];
  /** For temporary files. */
  readonly tmpDir: string;
  readonly log: (line: string) => void;
}

/** The image's entries. Rejects if a library that Node needs is in none of the packages. */
export async function rootFilesystem(options: RootFilesystemOptions): Promise<Entry[]> {
  const dir = await mkdtemp(join(options.tmpDir, "konductor-image-"));
  try {
    const node = join(dir, "node");
    await stripped(options.nodePath, node, options.log);
    const content = { content: await readFile(node), mode: 0o755 };
    return [
      { path: "usr/bin/node", ...content },
      ...(await libraries(options.nodePath, options.packages, join(dir, "packages"))),
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

/** Strips the symbol table, which makes Node a sixth smaller; without `strip` on the machine, the image works nevertheless. */
async function stripped(from: string, to: string, log: (line: string) => void): Promise<void> {
  try {
    await run("strip", ["-o", to, from]);
  } catch (error) {
    if (!isNotInstalled(error)) throw error;
    log("strip is not installed (Debian package binutils): Node goes into the image as it is, and larger");
    await run("cp", [from, to]);
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

/** The libraries that `nodePath` links to, also indirectly, and the loader at the path that the Node program names. */
async function libraries(nodePath: string, packages: readonly string[], dir: string): Promise<FileEntry[]> {
  for (const path of packages) await run("dpkg-deb", ["--extract", path, dir]);
  const files = await readdir(dir, { recursive: true });
  const needed = (await run("ldd", [nodePath])).matchAll(/^\s*(?:(\S+) => )?(\/\S+)/gm);
  return Promise.all(
    [...needed].map(async ([, soname, path = ""]) => {
      const name = soname ?? basename(path);
      const file = files.find((each) => basename(each) === name && each.includes("/x86_64-linux-gnu/"));
      if (!file)
        throw new Error(
          `Node needs ${name}, which is in none of ${packages.map((each) => basename(each)).join(", ")}`,
        );
      return {
        path: soname ? `lib/x86_64-linux-gnu/${name}` : path.slice(1),
        content: await readFile(join(dir, file)),
        mode: 0o755,
      };
    }),
  );
}
