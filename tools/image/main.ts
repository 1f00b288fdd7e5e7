/**
 * `npm run image` writes dist/image.tar, which containerd imports as konductor:VERSION. It needs no container engine, but
 * Debian on x86-64 for the libraries; elsewhere use the Dockerfile. `--platform linux/amd64` leaves out the other one; `--renew-pins`
 * writes the packages that Debian serves now into packages.json, and Node for arm64 in the project's version into node-package.json.
 */
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describeError } from "../../src/shared/errors.ts";
import { buildPrograms, packageVersion } from "../build.ts";
import { readPins, renewPin } from "./debian-package.ts";
import {
  imageCacheDir,
  konductorEntries,
  nodePinPath,
  ownNodeVersion,
  pinsPath,
} from "./konductor-entries.ts";
import { readNodePin, renewNodePin } from "./node-package.ts";
import { writeOciArchive } from "./oci-archive.ts";
import { PLATFORMS, type Platform, parsePlatforms } from "./platform.ts";
import { NONROOT } from "./root-filesystem.ts";

const root = join(import.meta.dirname, "../..");
const cacheDir = imageCacheDir(process.env);
const log = (line: string) => process.stdout.write(`${line}\n`);

async function renewPins(): Promise<void> {
  const pins = [];
  for (const pin of await readPins(pinsPath)) pins.push(await renewPin(pin, cacheDir));
  const node = await renewNodePin(await readNodePin(nodePinPath), await ownNodeVersion(root), cacheDir);
  await writeFile(pinsPath, `${JSON.stringify(pins, undefined, 2)}\n`);
  await writeFile(nodePinPath, `${JSON.stringify(node, undefined, 2)}\n`);
  for (const { name, version, architecture } of pins) log(`${name} ${version} ${architecture}`);
  log(`${node.name} ${node.version}`);
}

async function writeImage(platforms: readonly Platform[]): Promise<void> {
  const out = join(root, "dist/image.tar");
  const reference = `konductor:${await packageVersion(root)}`;
  const programs = await buildPrograms({ root, outDir: join(root, "dist") });
  const contents = [];
  for (const platform of platforms) {
    const entries = await konductorEntries({ root, platform, programs, cacheDir, tmpDir: tmpdir() });
    contents.push({ architecture: platform.architecture, entries });
  }
  const image = await writeOciArchive({
    platforms: contents,
    reference,
    config: {
      User: `${NONROOT}:${NONROOT}`,
      Env: ["PATH=/usr/bin", "NODE_ENV=production"],
      Entrypoint: ["/usr/bin/node", "/konductor/konductor.js"],
      Cmd: ["serve"],
    },
    out,
  });
  const row = (name: string, bytes: number, digest: string) =>
    log(`  ${name.padEnd(12)} ${(bytes / 1e6).toFixed(1).padStart(5)} MB  ${digest}`);
  log(`${out}: ${reference}`);
  for (const { architecture, layerBytes, digest } of image.platforms)
    row(`linux/${architecture}`, layerBytes, digest);
  row("index", image.archiveBytes, image.digest);
}

try {
  const { values } = parseArgs({
    options: { platform: { type: "string", multiple: true }, "renew-pins": { type: "boolean" } },
  });
  const platforms = values.platform ? parsePlatforms(values.platform) : PLATFORMS;
  await (values["renew-pins"] ? renewPins() : writeImage(platforms));
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = 1;
}
