import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { download } from "../../cluster/binaries/download.ts";
import { findBinaries } from "../../cluster/binaries/find.ts";

const BINARY = Buffer.from("#!/bin/sh\necho the real kubectl\n");
const SUM = createHash("sha256").update(BINARY).digest("hex");

let dir: string;
let files: Map<string, string | Buffer>;
let server: Server;
let baseUrl: string;
let lines: string[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-download-"));
  files = new Map();
  lines = [];
  server = createServer((request, response) => {
    const content = files.get(request.url ?? "");
    response.writeHead(content === undefined ? 404 : 200).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(dir, { recursive: true });
});

const fetchKubectl = () => download({ url: `${baseUrl}/kubectl`, target: join(dir, "kubectl") });

test("a file with the published sum becomes an executable", async () => {
  files.set("/kubectl", BINARY).set("/kubectl.sha256", `${SUM}\n`);
  await fetchKubectl();
  expect(await readFile(join(dir, "kubectl"))).toEqual(BINARY);
  expect((await stat(join(dir, "kubectl"))).mode & 0o111).toBe(0o111);
  expect(await readdir(dir)).toEqual(["kubectl"]);
});

test("a file with another sum is refused, and nothing of it remains", async () => {
  files.set("/kubectl", "something else").set("/kubectl.sha256", SUM);
  await expect(fetchKubectl()).rejects.toThrow(`but ${SUM} is published`);
  expect(await readdir(dir)).toEqual([]);
});

test.for([
  ["no published sum", []],
  ["no file", [["/kubectl.sha256", SUM]]],
  [
    "an invalid sum",
    [
      ["/kubectl", "x"],
      ["/kubectl.sha256", "<html>"],
    ],
  ],
] as const)("%s: refused, and nothing remains", async ([, served]) => {
  files = new Map(served);
  await expect(fetchKubectl()).rejects.toThrow(baseUrl);
  expect(await readdir(dir)).toEqual([]);
});

/** Without Go on the PATH, the build that follows a failed download fails at once with an error of its own. */
const findKubectl = () =>
  findBinaries(["kubectl"], {
    cacheDir: dir,
    releaseBaseUrl: baseUrl,
    env: { PATH: "" },
    log: { line: (line) => lines.push(line), status() {} },
  });

test("an available release is used", async () => {
  const path = `/v1.37.2/bin/linux/${process.arch === "x64" ? "amd64" : process.arch}/kubectl`;
  files.set(path, BINARY).set(`${path}.sha256`, SUM);
  expect(await findKubectl()).toEqual({ kubectl: join(dir, "kubectl") });
});

test("a missing release leads to the build, and the log says why", async () => {
  await expect(findKubectl()).rejects.toThrow("needed to build Kubernetes");
  expect(lines).toEqual([expect.stringContaining("answered 404")]);
});

test("an unreachable host leads to the build", async () => {
  server.closeAllConnections();
  server.close();
  await expect(findKubectl()).rejects.toThrow("needed to build Kubernetes");
  expect(lines).toEqual([expect.stringContaining("cannot be reached")]);
});
