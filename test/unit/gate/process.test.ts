import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type HoldFile, holdFile } from "../../../src/gate/hold-file.ts";
import { bootedGateProgram, ENV, EXIT, NODE_PATHS, PATH } from "../../../src/shared/names.ts";
import { createAuthority } from "../../../src/tls/authority.ts";
import { type Bundle, buildBundle, podEnv, type RunningProcess, startNode } from "./bundle.ts";
import { type Certificate, selfSigned } from "./certificates.ts";
import { json, type ScriptedServer, scriptedServer, silent, stream } from "./scripted-server.ts";

const HOUR_MS = 3_600_000;
const SHIFTED_CLOCK = join(import.meta.dirname, "../../e2e/shifted-clock.ts");

const LEASE = "nightly-report";
const WAITING = { state: "waiting", position: 1, of: 1, holder: "report-x7k2p" };

/** Sends SIGTERM to the process at the moment when it begins to handle it. */
const SIGTERM_AT_REGISTRATION = `
  const on = process.on;
  process.on = function (event, listener) {
    on.call(this, event, listener);
    if (event === "SIGTERM") {
      process._rawDebug("https loaded: " + process.moduleLoadList.includes("NativeModule https"));
      process.kill(process.pid, "SIGTERM");
    }
    return this;
  };`;

let bundle: Bundle;
let certificate: Certificate;
let server: ScriptedServer;
let stateDir: string;
let hold: HoldFile;
let started: RunningProcess[];

beforeAll(async () => {
  certificate = selfSigned();
  bundle = await buildBundle();
}, 30_000);
afterAll(() => bundle.remove());
beforeEach(async () => {
  server = await scriptedServer(certificate);
  stateDir = mkdtempSync(join(tmpdir(), "konductor-state-"));
  hold = holdFile(stateDir);
  started = [];
});
afterEach(async () => {
  for (const { kill, exit } of started) {
    kill("SIGKILL");
    await exit;
  }
  await server.close();
  rmSync(stateDir, { recursive: true, force: true });
});

function start(command: string, env: Record<string, string> = {}, path = bundle.path): RunningProcess {
  return startAs([path], command, env);
}

/** `program` is what stands in the container's command after Node. */
function startAs(program: readonly string[], command: string, env: Record<string, string>): RunningProcess {
  const child = startNode([...program, command], {
    ...podEnv(server.url, certificate.cert, stateDir),
    ...env,
  });
  started.push(child);
  return child;
}

/** Lets the server grant, renew and release a hold of `ttlMs`. */
function serve(ttlMs: number): void {
  server.play(
    PATH.acquire,
    stream([WAITING, { state: "granted", token: 41, ttlMs, renewEveryMs: ttlMs / 3 }]),
  );
  server.play(PATH.renew, json({ token: 41, ttlMs, renewals: 0 }));
  server.play(PATH.announce, json({}));
  server.play(PATH.release, json({ released: true }));
}

test.each(["script", "ES module"])("the gate's bundle runs as a %s", async (kind) => {
  serve(60_000);
  const gate = start("gate", {}, kind === "script" ? bundle.path : bundle.esmPath);
  expect(await gate.exit).toBe(EXIT.done);
  expect(gate.output()).toMatch(
    /^\d{4}-\d\d-\d\dT[\d:.]+Z waiting for klease nightly-report: position 1 of 1, held by report-x7k2p$/m,
  );
  expect(hold.read(LEASE)).toMatchObject({ token: 41, state: "held" });
});

test("whom the pod has learnt to trust the gate finds on its disk", async () => {
  serve(60_000);
  const trustDir = mkdtempSync(join(stateDir, "trust-"));
  writeFileSync(join(trustDir, "trust.json"), JSON.stringify({ ca: certificate.cert, urls: [] }));
  const { certPem } = await createAuthority(Date.now());
  const gate = start("gate", { KONDUCTOR_CA: certPem, KONDUCTOR_TRUST_DIR: trustDir });
  expect(await gate.exit).toBe(EXIT.done);
});

test("SIGTERM ends a waiting gate with 143", async () => {
  server.play(PATH.acquire, stream([WAITING]));
  const gate = start("gate");
  await server.received(PATH.acquire);
  gate.kill("SIGTERM");
  expect(await gate.exit).toBe(143);
});

test.each(["file", "variable"])(
  "one hold lasts from end to end: gate, keeper, kill -9 of the keeper, its successor, preStop, SIGTERM, run from a %s",
  async (source) => {
    const [program, env] =
      source === "file"
        ? [[bundle.path], {}]
        : [bootedGateProgram(NODE_PATHS[0]).slice(1), { [ENV.program]: await bundle.program() }];
    const start = (command: string) => startAs(program, command, env);
    serve(3_000);
    expect(await start("gate").exit).toBe(EXIT.done);
    // A gate on a busy machine may send its confirmation twice.
    const confirmations = server.requests(PATH.renew).length;
    const first = start("keep");
    await server.received(PATH.renew, confirmations + 1);
    first.kill("SIGKILL");
    expect(await first.exit).toBe("SIGKILL");
    const renewals = server.requests(PATH.renew).length;
    const second = start("keep");
    await server.received(PATH.renew, renewals + 1);
    expect(await start("announce").exit).toBe(EXIT.done);
    second.kill("SIGTERM");
    expect(await second.exit).toBe(EXIT.done);
    const tokens = [...server.requests(PATH.renew), ...server.requests(PATH.announce)].map(
      ({ body }) => body["token"],
    );
    expect(new Set(tokens)).toEqual(new Set([41]));
    const { body } = await server.received(PATH.release);
    expect(body).toMatchObject({ lease: LEASE, token: 41 });
    expect(body["sincePreStopMs"]).toBeGreaterThan(0);
    expect(body["sincePreStopMs"]).toBeLessThan(5_000);
  },
);

/** The node's time of day is set between the end of the gate and the start of its keeper. */
test.each([
  ["exits 75 at ttl minus stop, and the next gate reports the hold as lost", 0],
  ["does so on a node whose clock is set back by an hour", -HOUR_MS],
  ["does so on a node whose clock is put forward by an hour", HOUR_MS],
])("a keeper whose server goes silent %s", async (_, offsetMs) => {
  serve(3_000);
  expect(await start("gate").exit).toBe(EXIT.done);
  const confirmedMs = (await server.received(PATH.renew)).atMs;
  server.play(PATH.renew, silent);
  const keeper = start("keep", {
    NODE_OPTIONS: `--import=${SHIFTED_CLOCK}`,
    CLOCK_OFFSET_MS: String(offsetMs),
  });
  expect(await keeper.exit).toBe(EXIT.fenced);
  const lastedMs = performance.now() - confirmedMs;
  expect(lastedMs).toBeGreaterThan(1_500);
  expect(lastedMs).toBeLessThan(3_000);
  expect(await start("gate", { KONDUCTOR_RERUN: "false" }).exit).toBe(EXIT.lost);
  expect((await server.received(PATH.acquire, 2)).body).toMatchObject({ lease: LEASE, lostToken: 41 });
});

test("SIGTERM is handled from the first moment of the keeper, before it loads TLS", async () => {
  serve(60_000);
  expect(await start("gate").exit).toBe(EXIT.done);
  const preload = join(stateDir, "preload.cjs");
  writeFileSync(preload, SIGTERM_AT_REGISTRATION);
  const keeper = start("keep", { NODE_OPTIONS: `--require=${preload}` });
  expect(await keeper.exit).toBe(EXIT.done);
  expect(keeper.output()).toContain("https loaded: false");
  expect(server.requests(PATH.release)).toHaveLength(1);
});

test("the preStop hook ends with 0 in time, even with a bad configuration", async () => {
  const hook = start("announce", { KONDUCTOR_URL: "nonsense" });
  expect(await hook.exit).toBe(EXIT.done);
  expect(existsSync(join(stateDir, "prestop"))).toBe(false);
});

test.each([
  [{ KONDUCTOR_URL: "http://10.0.0.1" }, "must be an https URL"],
  [{ KONDUCTOR_CA: "none" }, "must be a PEM bundle"],
  [{ KONDUCTOR_LEASE: "" }, "is not set"],
  [{ KONDUCTOR_FENCING: "yes" }, "must be true or false"],
  [{ KONDUCTOR_STOP_MS: "5s" }, "whole number of milliseconds"],
  [{ KONDUCTOR_ON_LOST: "ignore" }, "must be terminate or continue"],
])("bad configuration %j is one sentence and exit 78", async (env, sentence) => {
  const gate = start("gate", env);
  expect(await gate.exit).toBe(EXIT.badConfiguration);
  expect(gate.output().trim().split("\n")).toEqual([expect.stringContaining(sentence)]);
});

test("an unknown command is bad configuration", async () => {
  expect(await start("hold").exit).toBe(EXIT.badConfiguration);
});
