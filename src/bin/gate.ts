/** Main file of dist/gate.js: `gate` (init container), `keep` (native sidecar) and `announce` (its preStop hook). */
import { writeSync } from "node:fs";
import { systemBootClock } from "../gate/boot-clock.ts";
import { lineLog } from "../gate/log.ts";
import { EXIT } from "../shared/names.ts";

/** What a shell reports for a process that SIGTERM ended. */
const TERMINATED = 143;

const bootMs = systemBootClock();
const termination = new AbortController();
let terminatedAtMs: number | undefined;
// First, so that a signal that arrives while modules load is not lost.
process.on("SIGTERM", () => {
  terminatedAtMs ??= bootMs();
  termination.abort();
});

const log = lineLog(writeLine, Date.now);
const [name = ""] = process.argv.slice(2);

main().then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(exitCodeOf(error)),
);

async function main(): Promise<number> {
  const startedMs = bootMs() - process.uptime() * 1000;
  const { runCommand } = await import("../gate/run.ts");
  const atMs = (): number | undefined => terminatedAtMs;
  return runCommand({
    name,
    env: process.env,
    log,
    bootMs,
    startedMs,
    termination: { signal: termination.signal, atMs },
  });
}

function exitCodeOf(error: unknown): number {
  if (name === "announce") return EXIT.done;
  if (termination.signal.aborted) return name === "keep" ? EXIT.done : TERMINATED;
  log.info(
    error instanceof Error && error.name === "ConfigError" ? error.message : `unexpected: ${stackOf(error)}`,
  );
  return error instanceof Error && error.name === "ConfigError" ? EXIT.badConfiguration : 1;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Straight to the descriptor: `process.stdout` costs milliseconds to load. A line that cannot be written is lost. */
function writeLine(line: string): void {
  try {
    writeSync(1, line);
  } catch {
    // Nobody reads the log any more; the hold matters more.
  }
}
