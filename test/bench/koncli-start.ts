/**
 * How fast koncli starts, as shipped (`npm run bench:koncli`): the time from exec to its first request on the wire. The floor is measured in the same
 * run: a bare node that sends one https request. Exits with 1 if the median exceeds its limit.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPrograms, PROGRAMS } from "../../tools/build.ts";
import { startNode } from "../unit/gate/bundle.ts";
import { selfSigned } from "../unit/gate/certificates.ts";

const RUNS = 20;
const START_LIMIT_MS = 250;

const root = join(import.meta.dirname, "../..");
const dir = await mkdtemp(join(tmpdir(), "konductor-bench-"));
const certificate = selfSigned();
let arrived = (_atMs: number) => {};
const server = createServer(certificate, (_request, response) => {
  arrived(performance.now());
  response.writeHead(404).end();
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = server.address();
const port = typeof address === "object" ? address?.port : undefined;
const url = `https://127.0.0.1:${port}`;

const kubeconfig = join(dir, "kubeconfig");
const cluster = {
  server: url,
  "tls-server-name": "localhost",
  "certificate-authority-data": Buffer.from(certificate.cert).toString("base64"),
};
await writeFile(
  kubeconfig,
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "bench",
    clusters: [{ name: "bench", cluster }],
    users: [{ name: "bench", user: { token: "any" } }],
    contexts: [{ name: "bench", context: { cluster: "bench", user: "bench" } }],
  }),
);
const FLOOR = `require("node:https").request({ host: "127.0.0.1", port: ${port}, servername: "localhost", ca: process.env.CA }).end()`;

/** Starts a process and resolves with the time until its first request. */
async function startMs(args: readonly string[]): Promise<number> {
  const first = new Promise<number>((resolve) => {
    arrived = resolve;
  });
  const startedMs = performance.now();
  const child = startNode(args, { CA: certificate.cert });
  const ended = child.exit.then((code) => {
    throw new Error(`node ${args.join(" ")} ended with ${code} before its request: ${child.output()}`);
  });
  ended.catch(() => {});
  const atMs = await Promise.race([first, ended]);
  await child.exit;
  return atMs - startedMs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const floor: number[] = [];
const koncli: number[] = [];
try {
  const programs = PROGRAMS.filter(({ name }) => name === "koncli");
  const [path = ""] = await buildPrograms({ root, outDir: dir, programs });
  for (let run = 0; run < RUNS; run++) {
    floor.push(await startMs(["-e", FLOOR]));
    koncli.push(await startMs([path, "--kubeconfig", kubeconfig, "lease", "status", "any"]));
  }
} finally {
  server.closeAllConnections();
  server.close();
  await rm(dir, { recursive: true });
}
const [startedMs, floorMs] = [median(koncli), median(floor)];
const isKept = startedMs <= START_LIMIT_MS;
process.stdout.write(
  `koncli: exec to first request, p50 of ${RUNS}: ${startedMs.toFixed(1)} ms, ${(startedMs / floorMs).toFixed(2)} x floor ` +
    `${floorMs.toFixed(1)} ms; limit ${START_LIMIT_MS} ms: ${isKept ? "kept" : "EXCEEDED"}\n`,
);
process.exitCode = isKept ? 0 : 1;
