/**
 * How fast the gate starts, and how much memory gate and keeper take, as shipped (`npm run bench:gate`). Measured are the time from exec to the first
 * request on the wire, and peak RSS. The floor is measured in the same run: a bare node that sends one https request. Exits with 1 if the median
 * start or a peak exceeds its limit. The longest start is printed, but not judged: it depends on what else the machine does. The gate of
 * a trial comes out of its environment.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemBootClock } from "../../src/gate/boot-clock.ts";
import { holdFile } from "../../src/gate/hold-file.ts";
import { bootedGateProgram, ENV, NODE_PATHS, PATH } from "../../src/shared/names.ts";
import { buildBundle, podEnv, startNode } from "../unit/gate/bundle.ts";
import { selfSigned } from "../unit/gate/certificates.ts";
import { json, scriptedServer, stream } from "../unit/gate/scripted-server.ts";

const RUNS = 20;
const START_LIMIT_MS = 100;
const RSS_LIMIT_MIB = 60;
const TTL_MS = 3_000;
const FLOOR_PATH = "/floor";
const FLOOR = `require("node:https").request({ host: "127.0.0.1", port: new URL(process.env.KONDUCTOR_URL).port,
  servername: "localhost", ca: process.env.KONDUCTOR_CA, method: "POST", path: "${FLOOR_PATH}" }).end("{}")`;

interface Sample {
  startMs: number;
  peakMib: number;
  anonymousMib: number;
}

const certificate = selfSigned();
const server = await scriptedServer(certificate);
const stateDir = mkdtempSync(join(tmpdir(), "konductor-bench-"));
const env = podEnv(server.url, certificate.cert, stateDir);
const bundle = await buildBundle();

server.play(PATH.acquire, stream([{ state: "waiting", position: 1, of: 1, holder: "report-x7k2p" }]));
server.play(PATH.renew, json({ token: 41, ttlMs: TTL_MS, renewals: 1 }));

/** Starts a process, awaits its `count`th request to `path`, takes its memory and ends it. */
async function sample(
  args: readonly string[],
  path: string,
  count: number,
  more: Record<string, string> = {},
): Promise<Sample> {
  const before = server.requests(path).length;
  const startedMs = performance.now();
  const child = startNode(args, { ...env, ...more });
  const ended = child.exit.then((code) => {
    throw new Error(
      `node ${args.join(" ")} ended with ${code} before its request ${count} to ${path}: ${child.output()}`,
    );
  });
  await Promise.race([server.received(path, before + count), ended]);
  ended.catch(() => {});
  const first = await server.received(path, before + 1);
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  child.kill("SIGKILL");
  await child.exit;
  const startMs = first.atMs - startedMs;
  return { startMs, peakMib: mibOf(status, "VmHWM"), anonymousMib: mibOf(status, "RssAnon") };
}

function mibOf(status: string, name: string): number {
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  if (kib === undefined) throw new Error(`/proc/PID/status has no ${name}: this benchmark needs Linux`);
  return Number(kib) / 1024;
}

/** A hold whose renewal is overdue, so that the keeper's first request follows at once. */
function storeOverdueHold(): void {
  const deadline = systemBootClock()() + TTL_MS - 100;
  const hold = { lease: "nightly-report", token: 41, ttlMs: TTL_MS * 10, deadline, ca: undefined, urls: [] };
  holdFile(stateDir).write({ ...hold, state: "held" });
}

const floor: Sample[] = [];
const gate: Sample[] = [];
const keeper: Sample[] = [];
const trial: Sample[] = [];
try {
  const program = { [ENV.program]: await bundle.program() };
  const boot = bootedGateProgram(NODE_PATHS[0]).slice(1);
  // The four programs run in turns, so that all of them meet the same load.
  for (let run = 0; run < RUNS; run++) {
    floor.push(await sample(["-e", FLOOR], FLOOR_PATH, 1));
    gate.push(await sample([bundle.path, "gate"], PATH.acquire, 1));
    trial.push(await sample([...boot, "gate"], PATH.acquire, 1, program));
    storeOverdueHold();
    keeper.push(await sample([bundle.path, "keep"], PATH.renew, 2));
  }
} finally {
  bundle.remove();
  rmSync(stateDir, { recursive: true, force: true });
  await server.close();
}

let exceeded = 0;

function sorted(samples: Sample[], key: keyof Sample): number[] {
  return samples.map((each) => each[key]).sort((a, b) => a - b);
}
const median = (samples: Sample[], key: keyof Sample): number =>
  sorted(samples, key)[Math.floor(RUNS / 2)] ?? 0;
const largest = (samples: Sample[], key: keyof Sample): number => sorted(samples, key).at(-1) ?? 0;

function print(what: string, figure: number, unit: string, floorFigure: number, limit?: number): void {
  const over = limit !== undefined && figure > limit;
  if (over) exceeded++;
  const judged = limit === undefined ? "" : `limit ${limit} ${unit}: ${over ? "EXCEEDED" : "kept"}`;
  const ratio = `${(figure / floorFigure).toFixed(2)} x floor ${floorFigure.toFixed(1)}`;
  process.stdout.write(
    `${what.padEnd(44)}${figure.toFixed(1).padStart(7)} ${unit}   ${ratio.padEnd(20)}  ${judged}\n`,
  );
}

process.stdout.write(`${RUNS} runs, Node ${process.versions.node}\n`);
for (const [name, samples] of [
  ["gate", gate],
  ["keeper", keeper],
  ["trial", trial],
] as const) {
  print(
    `${name}: exec to first request, p50`,
    median(samples, "startMs"),
    "ms",
    median(floor, "startMs"),
    START_LIMIT_MS,
  );
  print(`${name}: exec to first request, max`, largest(samples, "startMs"), "ms", largest(floor, "startMs"));
  print(
    `${name}: peak RSS (VmHWM), max`,
    largest(samples, "peakMib"),
    "MiB",
    largest(floor, "peakMib"),
    RSS_LIMIT_MIB,
  );
  print(
    `${name}: anonymous memory (RssAnon), max`,
    largest(samples, "anonymousMib"),
    "MiB",
    largest(floor, "anonymousMib"),
  );
}
process.exitCode = exceeded > 0 ? 1 : 0;
