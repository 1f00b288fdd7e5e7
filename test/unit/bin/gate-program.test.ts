import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readGateProgram } from "../../../src/bin/serve/gate-program.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-program-"));
});
afterAll(() => rm(dir, { recursive: true }));

async function read(content: string): Promise<string> {
  await writeFile(join(dir, "program"), content);
  return readGateProgram(join(dir, "program"));
}

test("a program is passed on as it stands in its file", async () => {
  const program = brotliCompressSync("run()").toString("base64");
  expect(await read(`${program}\n`)).toBe(program);
});

test.each([
  ["nothing", ""],
  ["the program as it is", "console.log(1)"],
  ["what brotli has not compressed", Buffer.from("run()").toString("base64")],
  ["more than a variable holds", "A".repeat(65_540)],
])("%s is refused, and the file named", async (_, content) => {
  await expect(read(content)).rejects.toThrow(
    `--gate-program: ${join(dir, "program")} holds no program; it must be base64 of dist/gate.js`,
  );
});

test("a file that is not there is named", async () => {
  await expect(readGateProgram(join(dir, "none"))).rejects.toThrow(join(dir, "none"));
});
