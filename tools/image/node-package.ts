/** Node for another processor: npm's package of it, in the version of the project's own Node, pinned by its content. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./command.ts";
import { fetchPinned, inNewFolder, onlyFileIn, RENEW } from "./pinned-file.ts";

/** One exact npm package that holds Node's program as `bin/node`. */
export interface NodePin {
  readonly name: string;
  readonly version: string;
  /** Of the tarball, as package-lock.json has it: `sha512-…`. */
  readonly integrity: string;
}

/** The pin in node-package.json. Throws if the file has another form. */
export async function readNodePin(path: string): Promise<NodePin> {
  const fields = new Map(Object.entries(Object(JSON.parse(await readFile(path, "utf8")))));
  const [name, version, integrity] = ["name", "version", "integrity"].map((key) => fields.get(key));
  if (typeof name !== "string" || typeof version !== "string" || typeof integrity !== "string") {
    throw new Error(`${path}: expected {name, version, integrity}`);
  }
  return { name, version, integrity };
}

/**
 * Node's program from the pinned package, which is kept in `cacheDir`. Rejects if its content is not the pinned one, or if the project's
 * Node has another `version`.
 */
export async function fetchNode(pin: NodePin, version: string, cacheDir: string): Promise<Buffer> {
  if (pin.version !== version) {
    throw new Error(
      `npm package ${pin.name} is pinned at ${pin.version}, and the project's Node is ${version}: ${RENEW}`,
    );
  }
  const tarball = await fetchPinned({
    what: `npm package ${pin.name} ${version}`,
    path: join(cacheDir, `${pin.name}-${version}.tgz`),
    digest: integrityOf,
    pinned: pin.integrity,
    download: (dir) => pack(pin.name, version, dir),
  });
  return inNewFolder(cacheDir, async (dir) => {
    await run("tar", ["-xzf", tarball, "-C", dir, "package/bin/node"]);
    return readFile(join(dir, "package/bin/node"));
  });
}

/** The same package in `version`. */
export async function renewNodePin(pin: NodePin, version: string, cacheDir: string): Promise<NodePin> {
  return inNewFolder(cacheDir, async (dir) => {
    await pack(pin.name, version, dir);
    return { ...pin, version, integrity: integrityOf(await readFile(await onlyFileIn(dir))) };
  });
}

/** npm installs no package that is made for another processor, but downloads it. */
async function pack(name: string, version: string, dir: string): Promise<void> {
  await run("npm", ["pack", "--loglevel=error", `--pack-destination=${dir}`, `${name}@${version}`]);
}

function integrityOf(content: Buffer): string {
  return `sha512-${createHash("sha512").update(content).digest("base64")}`;
}
