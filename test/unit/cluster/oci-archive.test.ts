import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Entry, fullReference, writeOciArchive } from "../../../tools/image/oci-archive.ts";

const LONG_PATH = `${"d".repeat(90)}/${"e".repeat(60)}/${"f".repeat(90)}`;
const ENTRIES: Entry[] = [
  { path: LONG_PATH, content: "far down" },
  { path: "/bin/tool", mode: 0o755, content: Buffer.alloc(100_000, "tool") },
  { path: "bin/alias", target: "tool" },
  { path: "tmp", directory: true, mode: 0o1777 },
];

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "konductor-oci-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const write = (name: string, entries: Iterable<Entry>, architectures = ["amd64"]) =>
  writeOciArchive({
    platforms: architectures.map((architecture) => ({ architecture, entries })),
    reference: "konductor:0.1.0",
    config: { Entrypoint: ["/bin/tool"], User: "65532" },
    out: join(dir, name),
  });

/** Unpacks a file of the archive with the system's tar, an independent reader of the format. */
const unpack = (name: string, file: string) =>
  execFileSync("tar", ["-xOf", join(dir, name), file], { maxBuffer: 1 << 28 });
const blob = (name: string, digest: string) => unpack(name, `blobs/sha256/${digest.replace("sha256:", "")}`);

test("the same entries in another order yield the same bytes", async () => {
  const one = await write("one.tar", ENTRIES);
  const other = await write("other.tar", ENTRIES.toReversed());
  expect(one).toEqual(other);
  expect(readFileSync(join(dir, "one.tar"))).toEqual(readFileSync(join(dir, "other.tar")));
});

/** The archive's image index, which index.json names. */
function imageIndex(name: string) {
  const { manifests } = JSON.parse(unpack(name, "index.json").toString());
  return JSON.parse(blob(name, manifests[0].digest).toString());
}

test("one name stands for all platforms: index.json has one entry, an index of the manifests", async () => {
  const { digest, platforms } = await write("image.tar", ENTRIES, ["amd64", "arm64"]);
  expect(JSON.parse(unpack("image.tar", "index.json").toString())).toEqual({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      {
        mediaType: "application/vnd.oci.image.index.v1+json",
        digest,
        size: blob("image.tar", digest).length,
        annotations: {
          "io.containerd.image.name": "docker.io/library/konductor:0.1.0",
          "org.opencontainers.image.ref.name": "0.1.0",
        },
      },
    ],
  });
  expect(JSON.parse(blob("image.tar", digest).toString())).toEqual({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: platforms.map((each) => ({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: each.digest,
      size: blob("image.tar", each.digest).length,
      platform: { os: "linux", architecture: each.architecture },
    })),
  });
  expect(platforms.map(({ architecture }) => architecture)).toEqual(["amd64", "arm64"]);
});

test("index, manifests and configurations name each other by digest", async () => {
  await write("image.tar", ENTRIES, ["amd64", "arm64"]);
  for (const { digest, platform } of imageIndex("image.tar").manifests) {
    const manifest = JSON.parse(blob("image.tar", digest).toString());
    const config = JSON.parse(blob("image.tar", manifest.config.digest).toString());
    const layer = gunzipSync(blob("image.tar", manifest.layers[0].digest));
    expect(config).toMatchObject({ config: { Entrypoint: ["/bin/tool"], User: "65532" }, ...platform });
    expect(config.rootfs.diff_ids).toEqual([`sha256:${createHash("sha256").update(layer).digest("hex")}`]);
  }
});

test("the layer unpacks to the files, links and modes that were asked for", async () => {
  await write("image.tar", ENTRIES);
  const manifest = JSON.parse(blob("image.tar", imageIndex("image.tar").manifests[0].digest).toString());
  execFileSync("tar", ["-xpzf", "-", "-C", dir], { input: blob("image.tar", manifest.layers[0].digest) });
  const mode = (path: string) => lstatSync(join(dir, path)).mode & 0o7777;
  expect(readFileSync(join(dir, LONG_PATH), "utf8")).toBe("far down");
  expect(readlinkSync(join(dir, "bin/alias"))).toBe("tool");
  expect(readFileSync(join(dir, "bin/alias"))).toHaveLength(100_000);
  expect([mode("bin"), mode("bin/tool"), mode("tmp")]).toEqual([0o755, 0o755, 0o1777]);
});

test.for([
  ["konductor:1", "docker.io/library/konductor:1"],
  ["team/konductor:1", "docker.io/team/konductor:1"],
  ["konductor.test/busybox:1", "konductor.test/busybox:1"],
  ["localhost/konductor:1", "localhost/konductor:1"],
])("%s is known to containerd as %s", ([short = "", full]) => {
  expect(fullReference(short)).toBe(full);
});

test("entries that the format cannot hold are refused by name", async () => {
  await expect(write("x.tar", [{ path: "x".repeat(101), content: "" }])).rejects.toThrow(
    "too long for ustar",
  );
  await expect(write("x.tar", [{ path: "a", target: "x".repeat(101) }])).rejects.toThrow(
    "too long for ustar",
  );
  await expect(
    write("x.tar", [
      { path: "a", content: "1" },
      { path: "/a", content: "2" },
    ]),
  ).rejects.toThrow("two entries named a");
});
