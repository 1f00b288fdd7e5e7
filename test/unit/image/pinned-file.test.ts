import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fetchPinned } from "../../../tools/image/pinned-file.ts";

let dir: string;
let path: string;
let downloads: number;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-pinned-"));
  path = join(dir, "kept");
  downloads = 0;
});
afterEach(() => rm(dir, { recursive: true }));

/** The file whose pinned content is "right", where the world serves `served`. */
const pinned = (served: string | Error) => ({
  what: "package tool 1.0",
  path,
  digest: String,
  pinned: "right",
  async download(into: string) {
    downloads++;
    if (served instanceof Error) throw served;
    await writeFile(join(into, "tool"), served);
  },
});

test("it is downloaded once", async () => {
  expect(await fetchPinned(pinned("right"))).toBe(path);
  expect(await fetchPinned(pinned(new Error("offline")))).toBe(path);
  expect([downloads, await readFile(path, "utf8")]).toEqual([1, "right"]);
});

test("a kept file that is damaged is downloaded again", async () => {
  await writeFile(path, "wron");
  await fetchPinned(pinned("right"));
  expect(await readFile(path, "utf8")).toBe("right");
});

test("another content is refused, and not kept", async () => {
  await expect(fetchPinned(pinned("evil"))).rejects.toThrow(
    "package tool 1.0 is evil, pinned is right. If that is in order, renew the pins with `npm run image -- --renew-pins`",
  );
  expect(await readdir(dir)).toEqual([]);
});

test("what is served no longer is said to be so", async () => {
  await expect(fetchPinned(pinned(new Error("404")))).rejects.toThrow(
    "package tool 1.0 cannot be downloaded. If it is served no longer, renew the pins",
  );
  expect(await readdir(dir)).toEqual([]);
});
