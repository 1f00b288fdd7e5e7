/**
 * Debian packages for any processor, pinned by version and content. They come from the sources that this machine's apt-get knows, by
 * package lists of their own: the machine's lists, and the architectures that its dpkg knows, stay as they are, and no root is needed.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./command.ts";
import { fetchPinned, inNewFolder, onlyFileIn } from "./pinned-file.ts";

/** One exact Debian package. */
export interface PackagePin {
  readonly name: string;
  readonly version: string;
  /** Debian's name of the architecture. */
  readonly architecture: string;
  /** The checksum of the `.deb` file. */
  readonly sha256: string;
}

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
export function fetchPackage(
  { name, version, architecture, sha256 }: PackagePin,
  cacheDir: string,
): Promise<string> {
  const apt = aptGet(architecture, cacheDir);
  return fetchPinned({
    what: `Debian package ${name} ${version} for ${architecture}`,
    path: join(cacheDir, `${name}_${version}_${architecture}.deb`.replaceAll(":", "%3a")),
    digest: sha256Of,
    pinned: sha256,
    async download(dir) {
      const get = () => apt(["download", `${name}:${architecture}=${version}`], dir);
      // Lists that are old or missing are renewed once.
      await get().catch(async (error: unknown) => {
        await apt(["update"]).catch(() => {
          throw error;
        });
        await get();
      });
    },
  });
}

/** Pins the same package in the version that Debian serves now. */
export async function renewPin(pin: PackagePin, cacheDir: string): Promise<PackagePin> {
  const apt = aptGet(pin.architecture, cacheDir);
  await apt(["update"]);
  return inNewFolder(cacheDir, async (dir) => {
    await apt(["download", `${pin.name}:${pin.architecture}`], dir);
    const file = await onlyFileIn(dir);
    const version = (await run("dpkg-deb", ["--field", file, "Version"])).trim();
    return { ...pin, version, sha256: sha256Of(await readFile(file)) };
  });
}

/** apt-get as a machine of `architecture` has it, with nothing installed; its package lists are kept in `cacheDir`. */
function aptGet(architecture: string, cacheDir: string) {
  const state = join(cacheDir, `apt-${architecture}`);
  const options = [
    `APT::Architecture=${architecture}`,
    `APT::Architectures::=${architecture}`,
    `Dir::State=${state}`,
    "Dir::State::status=/dev/null",
    `Dir::Cache=${join(state, "cache")}`,
    // Descriptions for software centres, a quarter of the lists.
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
  ];
  return async (args: readonly string[], dir?: string): Promise<void> => {
    // apt-get makes no folder of its own where its state is elsewhere.
    await mkdir(join(state, "lists/partial"), { recursive: true });
    await run("apt-get", ["--quiet=2", ...options.flatMap((option) => ["-o", option]), ...args], dir);
  };
}

function sha256Of(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
