/** Debian packages pinned by version and content: the image has the same libraries wherever and whenever it is built. */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./command.ts";

/** One exact Debian package. */
export interface PackagePin {
  readonly name: string;
  readonly version: string;
  /** Debian's name of the architecture. */
  readonly architecture: string;
  /** The checksum of the `.deb` file. */
  readonly sha256: string;
}

const RENEW = "renew the pins with `npm run image -- --renew-pins`";

/** Reads the pins from packages.json. Throws if the file has another format. */
export async function readPins(path: string): Promise<PackagePin[]> {
  const parsed: unknown = JSON.parse(await readFile(path, "utf8"));
  if (!Array.isArray(parsed) || !parsed.every(isPin)) {
    throw new Error(`${path}: expected a list of {name, version, architecture, sha256}`);
  }
  return parsed;
}

function isPin(value: unknown): value is PackagePin {
  const fields = new Map(Object.entries(Object(value)));
  return ["name", "version", "architecture", "sha256"].every((key) => typeof fields.get(key) === "string");
}

/** Resolves with the path of the pinned package in `cacheDir`, after downloading a missing one. Rejects if its content differs from the pin. */
export async function fetchPackage(pin: PackagePin, cacheDir: string): Promise<string> {
  const path = join(cacheDir, `${pin.name}_${pin.version}_${pin.architecture}.deb`.replaceAll(":", "%3a"));
  const cached = await sha256Of(path).catch(() => undefined);
  if (cached === pin.sha256) return path;
  await inNewFolder(cacheDir, async (dir) => {
    const file = await download(`${pin.name}:${pin.architecture}=${pin.version}`, dir).catch(
      (error: unknown) => {
        throw new Error(
          `Debian package ${pin.name} ${pin.version} cannot be downloaded. If it is served no longer, ${RENEW}`,
          { cause: error },
        );
      },
    );
    const sha256 = await sha256Of(file);
    if (sha256 !== pin.sha256) {
      throw new Error(
        `Debian package ${pin.name} ${pin.version} has SHA-256 ${sha256}, pinned is ${pin.sha256}. If that is in order, ${RENEW}`,
      );
    }
    await rename(file, path);
  });
  return path;
}

/** Pins the same package in the version that Debian serves now. */
export async function renewPin(pin: PackagePin, cacheDir: string): Promise<PackagePin> {
  return inNewFolder(cacheDir, async (dir) => {
    const file = await download(`${pin.name}:${pin.architecture}`, dir);
    const version = (await run("dpkg-deb", ["--field", file, "Version"])).trim();
    return { ...pin, version, sha256: await sha256Of(file) };
  });
}

/** Downloads one package into the empty folder `dir`; updates the machine's package lists once if they are old or missing. */
async function download(spec: string, dir: string): Promise<string> {
  const get = () => run("apt-get", ["--quiet=2", "download", spec], dir);
  await get().catch(async (error: unknown) => {
    await run("apt-get", ["--quiet=2", "update"]).catch(() => {
      throw error;
    });
    await get();
  });
  const [file] = await readdir(dir);
  if (!file) throw new Error(`apt-get download ${spec} wrote no file`);
  return join(dir, file);
}

async function inNewFolder<T>(parent: string, work: (dir: string) => Promise<T>): Promise<T> {
  await mkdir(parent, { recursive: true });
  const dir = await mkdtemp(join(parent, "download-"));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function sha256Of(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}
