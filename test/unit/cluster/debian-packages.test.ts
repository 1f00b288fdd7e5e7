import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { requirePackages } from "../../cluster/debian-packages.ts";

const NEEDED = [
  { package: "there", has: ["apt-get"] },
  { package: "not-there", has: ["no-such-program"] },
];

let dir: string;
let lines: string[];
const log = { line: (line: string) => void lines.push(line), status() {} };

/** An apt-get that only records its arguments. */
beforeEach(async () => {
  lines = [];
  dir = await mkdtemp(join(tmpdir(), "konductor-apt-"));
  await writeFile(join(dir, "apt-get"), `#!/bin/sh\necho "$@" >> ${dir}/asked\n`, { mode: 0o755 });
});
afterEach(() => rm(dir, { recursive: true }));

const env = () => ({ PATH: [dir, "/bin"].join(delimiter) });

test("missing packages are named, then installed", async () => {
  await requirePackages(NEEDED, { env: env(), log });
  expect(lines).toEqual(["installing Debian packages: not-there"]);
  expect(await readFile(join(dir, "asked"), "utf8")).toBe(
    "update\ninstall --yes --no-install-recommends not-there\n",
  );
});

test("NO_INSTALL=1 installs nothing and names the command", async () => {
  const required = requirePackages(NEEDED, { env: { ...env(), NO_INSTALL: "1" }, log });
  await expect(required).rejects.toThrow("apt-get install --yes --no-install-recommends not-there");
  await expect(readFile(join(dir, "asked"))).rejects.toThrow("ENOENT");
});

test("nothing is logged if nothing is missing", async () => {
  await requirePackages(NEEDED.slice(0, 1), { env: env(), log });
  expect(lines).toEqual([]);
});
