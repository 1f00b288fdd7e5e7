import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readElf } from "../../../tools/image/elf.ts";
import { AMD64, ARM64 } from "../../../tools/image/platform.ts";
import { rootFilesystem } from "../../../tools/image/root-filesystem.ts";
import { ownLibraries } from "./own-libraries.ts";

const node = readFileSync(process.execPath);
const elf = readElf(node, "Node");
const [own, other] = elf.machine === AMD64.machine ? [AMD64, ARM64] : [ARM64, AMD64];
/** Node's own libraries, for this machine's processor. */
const LIBRARIES = Object.fromEntries([...ownLibraries()].map(([name, path]) => [name, readFileSync(path)]));

let dir: string;
/** In the place of dpkg-deb: packages are folders, which are copied. */
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "konductor-root-"));
  writeFileSync(join(dir, "dpkg-deb"), '#!/bin/sh\ncp -r "$2/." "$3"\n', { mode: 0o755 });
  vi.stubEnv("PATH", `${dir}${delimiter}${process.env["PATH"]}`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true });
});

/** An ELF file that loads nothing. */
function library(machine: number): Buffer {
  const header = Buffer.alloc(64);
  header.write("\x7fELF\x02\x01", "latin1");
  header.writeUInt16LE(machine, 18);
  header.writeUInt16LE(56, 54);
  return header;
}

/** Node and a package with `libraries`, made for `platform`. */
function build(platform: typeof AMD64, libraries: Readonly<Record<string, Buffer>>) {
  const folder = join(dir, "package/usr/lib", platform.triplet);
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(libraries)) writeFileSync(join(folder, name), content);
  return rootFilesystem({ platform, node, packages: [join(dir, "package")], programs: [], tmpDir: dir });
}

test("Node's libraries are where its loader looks, and the loader where Node says", async () => {
  const paths = (await build(own, LIBRARIES)).map(({ path }) => path);
  expect(paths).toEqual(
    expect.arrayContaining(["usr/bin/node", `lib/${own.triplet}/libc.so.6`, elf.interpreter]),
  );
});

test("a library that no package has is named", async () => {
  const { "libc.so.6": _, ...others } = LIBRARIES;
  await expect(build(own, others)).rejects.toThrow("Node needs libc.so.6, which is in none of package");
});

test("Node for other processors is refused", async () => {
  await expect(build(other, LIBRARIES)).rejects.toThrow(
    `Node for linux/${other.architecture} has ELF machine ${own.machine}, expected ${other.machine}`,
  );
});

test("a library for other processors is refused", async () => {
  await expect(build(own, { ...LIBRARIES, "libc.so.6": library(other.machine) })).rejects.toThrow(
    `libc.so.6 for linux/${own.architecture} has ELF machine ${other.machine}, expected ${own.machine}`,
  );
});

test("a library that is too old for Node is refused", async () => {
  await expect(build(own, { ...LIBRARIES, "libc.so.6": library(own.machine) })).rejects.toThrow(
    /^Node for linux\/\w+ needs GLIBC_[\d.]+ of libc\.so\.6, which the one in the packages does not have: it needs a newer Debian$/,
  );
});
