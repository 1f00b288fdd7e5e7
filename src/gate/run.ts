import { systemClock } from "../shared/clock.ts";
import { formatGateRun } from "../shared/gate-run.ts";
import { EXIT } from "../shared/names.ts";
import { type BootClock, bootId } from "./boot-clock.ts";
import { readConfig } from "./config.ts";
import type { Context } from "./gate-context.ts";
import { holdFile } from "./hold-file.ts";
import { runAnnounce } from "./keeping/announce.ts";
import { runKeeper, type Termination } from "./keeping/keeper.ts";
import { prestopFile } from "./keeping/prestop-file.ts";
import { leaseFiles } from "./lease-files.ts";
import type { Log } from "./log.ts";
import { trustFile } from "./trust-file.ts";
import { runGate } from "./waiting/gate.ts";
import { createClient } from "./wire/client.ts";
import { createRoute } from "./wire/route.ts";
import { httpsTransport } from "./wire/transport.ts";

/** One address may take this long to connect before the other one is tried. */
const CONNECT_MS = 3_000;
/** The server says something at least every 15 s. */
const SILENCE_MS = 20_000;

export interface Command {
  name: string;
  env: Readonly<Record<string, string | undefined>>;
  log: Log;
  bootMs: BootClock;
  /** When this process began, by the boot clock. */
  startedMs: number;
  termination: Termination;
}

/**
 * Runs `gate`, `keep` or `announce` and resolves with the exit code. Throws ConfigError for an environment that is wrong, and
 * the termination's reason when a gate is told to stop.
 */
export async function runCommand({
  name,
  env,
  log,
  bootMs,
  startedMs,
  termination,
}: Command): Promise<number> {
  const config = readConfig(env);
  const clock = systemClock();
  const trust = trustFile({ dir: config.trustDir, known: { ca: config.ca, urls: [config.url] }, log });
  const route = createRoute(config, trust.keep);
  const client = createClient({
    lease: config.lease,
    tokenPath: config.tokenPath,
    transport: httpsTransport(clock),
    route,
    connectMs: CONNECT_MS,
    silenceMs: SILENCE_MS,
  });
  const files = {
    holdFile: holdFile(config.stateDir),
    trustFile: trust,
    prestopFile: prestopFile(config.stateDir),
    leaseFiles: leaseFiles({ dir: config.leaseDir, nowMs: clock.nowMs, bootMs }),
  };
  const boot = bootId();
  const context: Context = {
    config,
    startedMs,
    momentOf: (ms) => formatGateRun(boot, ms),
    newGateRun: () => formatGateRun(boot, bootMs()),
    clock,
    bootMs,
    log,
    client,
    route,
    ...files,
    random: Math.random,
  };
  switch (name) {
    case "gate":
      return runGate(context, termination.signal);
    case "keep":
      context.prestopFile.discardBefore(startedMs);
      return runKeeper(context, termination);
    case "announce":
      await runAnnounce(context, startedMs);
      return EXIT.done;
    default:
      log.info(`"${name}" is no command: use gate, keep or announce`);
      return EXIT.badConfiguration;
  }
}
