import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GateConfig } from "../../../src/gate/config.ts";
import type { Context } from "../../../src/gate/gate-context.ts";
import { holdFile, type StoredHold } from "../../../src/gate/hold-file.ts";
import { prestopFile } from "../../../src/gate/keeping/prestop-file.ts";
import { leaseFiles } from "../../../src/gate/lease-files.ts";
import { trustFile } from "../../../src/gate/trust-file.ts";
import { createClient } from "../../../src/gate/wire/client.ts";
import { createRoute } from "../../../src/gate/wire/route.ts";
import { httpsTransport } from "../../../src/gate/wire/transport.ts";
import { formatGateRun } from "../../../src/shared/gate-run.ts";
import type { Certificate } from "./certificates.ts";
import { type ScriptedServer, scriptedServer } from "./scripted-server.ts";
import { type TurnedClock, turnedClock } from "./turned-clock.ts";

export const LEASE = "nightly-report";
export const TTL_MS = 30_000;
export const STOP_MS = 5_000;
export const GATE_RUN = "0a1b/7";

/** A gate or keeper with a real server, real files and a turned clock. */
export interface Stage {
  server: ScriptedServer;
  clock: TurnedClock;
  context: Context;
  /** The lines logged so far. */
  lines: string[];
  stored(): StoredHold | undefined;
  /** Stores a hold as a gate would store it now. */
  hold(changes?: Partial<StoredHold>): StoredHold;
  /** Ends the keeper as SIGTERM does. */
  terminate(): void;
  termination: { signal: AbortSignal; atMs(): number | undefined };
  close(): Promise<void>;
}

export async function openStage(certificate: Certificate, changes: Partial<GateConfig> = {}): Promise<Stage> {
  const server = await scriptedServer(certificate);
  const clock = turnedClock();
  const stateDir = mkdtempSync(join(tmpdir(), "konductor-gate-"));
  const tokenPath = join(stateDir, "token");
  writeFileSync(tokenPath, "pod-token\n");
  const config: GateConfig = {
    url: server.url,
    host: "localhost",
    ca: certificate.cert,
    lease: LEASE,
    fencing: true,
    stopMs: STOP_MS,
    rerun: true,
    onLost: "terminate",
    tokenPath,
    stateDir,
    trustDir: undefined,
    leaseDir: undefined,
    terminationLogPath: join(stateDir, "termination-log"),
    ...changes,
  };
  const lines: string[] = [];
  const log = { info: (message: string) => void lines.push(message) };
  const trust = trustFile({ dir: config.trustDir, known: { ca: config.ca, urls: [config.url] }, log });
  const route = createRoute(config, trust.keep);
  const transport = httpsTransport(clock);
  const client = createClient({
    lease: LEASE,
    tokenPath,
    transport,
    route,
    connectMs: 3_000,
    silenceMs: 20_000,
  });
  const context: Context = {
    config,
    clock,
    bootMs: () => Math.round(clock.monotonicMs()),
    startedMs: Math.round(clock.monotonicMs()),
    momentOf: (ms) => formatGateRun("0a1b", ms),
    newGateRun: () => GATE_RUN,
    log,
    client,
    route,
    holdFile: holdFile(stateDir),
    trustFile: trust,
    prestopFile: prestopFile(stateDir),
    leaseFiles: leaseFiles({ dir: config.leaseDir, nowMs: clock.nowMs, bootMs: clock.monotonicMs }),
    random: () => 0.5,
  };
  const controller = new AbortController();
  let terminatedAtMs: number | undefined;
  return {
    server,
    clock,
    context,
    lines,
    stored: () => context.holdFile.read(LEASE),
    hold(held = {}) {
      const deadline = clock.monotonicMs() + TTL_MS;
      const hold: StoredHold = {
        lease: LEASE,
        token: 41,
        ttlMs: TTL_MS,
        deadline,
        state: "held",
        ca: undefined,
        urls: [],
        ...held,
      };
      context.holdFile.write(hold);
      return hold;
    },
    terminate() {
      terminatedAtMs = clock.monotonicMs();
      controller.abort();
    },
    termination: { signal: controller.signal, atMs: () => terminatedAtMs },
    async close() {
      controller.abort();
      await server.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}
