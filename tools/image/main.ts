/**
 * `npm run image` writes dist/image.tar, which containerd imports as konductor:VERSION. It needs no container engine, but Debian on x86-64 for the
 * libraries; elsewhere use the Dockerfile. `--renew-pins` writes the versions that Debian serves now into packages.json.
 */
import { writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describeError } from "../../src/shared/errors.ts";
import { packageVersion } from "../build.ts";
import { readPins, renewPin } from "./debian-package.ts";
import { konductorEntries, pinsPath } from "./konductor-entries.ts";
import { writeOciArchive } from "./oci-archive.ts";
import { NONROOT } from "./root-filesystem.ts";

const root = join(import.meta.dirname, "../..");
const cacheDir = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "konductor/debs");
const log = (line: string) => process.stdout.write(`${line}\n`);

async function renewPins(): Promise<void> {
  const pins = [];
  for (const pin of await readPins(pinsPath)) pins.push(await renewPin(pin, cacheDir));
  await writeFile(pinsPath, `${JSON.stringify(pins, undefined, 2)}\n`);
  for (const { name, version } of pins) log(`${name} ${version}`);
}

async function writeImage(): Promise<void> {
  const out = join(root, "dist/image.tar");
  const reference = `konductor:${await packageVersion(root)}`;
  const image = await writeOciArchive({
    entries: await konductorEntries({ root, cacheDir, tmpDir: tmpdir() }),
    reference,
    config: {
      User: `${NONROOT}:${NONROOT}`,
      Env: ["PATH=/usr/bin", "NODE_ENV=production"],
      Entrypoint: ["/usr/bin/node", "/konductor/konductor.js"],
      Cmd: ["serve"],
    },
    architecture: "amd64",
    out,
  });
  log(`${out}: ${reference}, ${(image.archiveBytes / 1e6).toFixed(1)} MB, ${image.digest}`);
}

try {
  const { values } = parseArgs({ options: { "renew-pins": { type: "boolean" } } });
  await (values["renew-pins"] ? renewPins() : writeImage());
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = 1;
}
