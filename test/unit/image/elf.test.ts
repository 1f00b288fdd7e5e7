import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ELF_MACHINE, onlyLoaded, readElf } from "../../../tools/image/elf.ts";
import { ownLibraries } from "./own-libraries.ts";

/** The Node that runs this test. */
const node = readFileSync(process.execPath);
const machine = ELF_MACHINE[process.arch === "arm64" ? "arm64" : "amd64"];

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "konductor-elf-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A copy of Node's first bytes in which some are others. */
function damaged(change: (copy: Buffer) => void, bytes = node.length): Buffer {
  const copy = Buffer.from(node.subarray(0, bytes));
  change(copy);
  return copy;
}

test("Node's headers say for which processor it is, and what it loads", () => {
  const elf = readElf(node, "Node");
  expect(elf.machine).toBe(machine);
  expect(existsSync(elf.interpreter ?? "")).toBe(true);
  expect(elf.needed).toEqual(expect.arrayContaining(["libc.so.6", "libstdc++.so.6"]));
  expect(elf.neededVersions).toEqual(
    expect.arrayContaining([
      { library: "libc.so.6", version: "GLIBC_2.28" },
      { library: "libstdc++.so.6", version: "GLIBCXX_3.4.21" },
    ]),
  );
});

test("a library's headers say which versions of symbols it has", () => {
  const path = ownLibraries().get("libc.so.6") ?? "";
  const { definedVersions, needed } = readElf(readFileSync(path), "libc");
  expect(definedVersions).toEqual(expect.arrayContaining(["GLIBC_2.17", "GLIBC_2.28"]));
  expect(needed).toHaveLength(1);
});

test("Node works without what is not loaded", () => {
  const path = join(dir, "node");
  const cut = onlyLoaded(node, readElf(node, "Node"));
  writeFileSync(path, cut, { mode: 0o755 });
  expect(execFileSync(path, ["--print", "process.version"], { encoding: "utf8" }).trim()).toBe(
    process.version,
  );
  expect(cut.length).toBeLessThan(0.9 * node.length);
  expect(readElf(cut, "Node")).toEqual(readElf(node, "Node"));
});

test.for<[string, Buffer, string]>([
  ["a script", Buffer.from("#!/bin/sh\n"), "libx.so is no ELF file of 64 bits, little-endian"],
  ["nothing", Buffer.alloc(0), "libx.so is no ELF file"],
  ["a file of 32 bits", damaged((copy) => copy.writeUInt8(1, 4), 64), "libx.so is no ELF file"],
  ["a big-endian file", damaged((copy) => copy.writeUInt8(2, 5), 64), "libx.so is no ELF file"],
  ["half a header", damaged(() => {}, 40), "libx.so is a damaged ELF file"],
  ["half of Node", damaged(() => {}, node.length / 2), "it ends at byte"],
  ["segments behind the end", damaged((copy) => copy.writeBigUInt64LE(2n ** 63n, 32)), "damaged ELF file"],
  [
    "segments of another size",
    damaged((copy) => copy.writeUInt16LE(32, 54)),
    "segment headers have 32 bytes",
  ],
])("%s is refused by name", ([, file, reason]) => {
  expect(() => readElf(file, "libx.so")).toThrow(reason);
});
