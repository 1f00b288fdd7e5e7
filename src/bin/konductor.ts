/** The `konductor` command: what runs in the cluster. */
import { totalmem } from "node:os";
import { systemClock } from "../shared/clock.ts";
import { describeError } from "../shared/errors.ts";
import { createLogger } from "../shared/log.ts";
import { EXIT } from "../shared/names.ts";
import { VERSION_TEXT } from "../shared/version.ts";
import { readServeConfig, type ServeConfig } from "./serve/config.ts";
import { SERVE_HELP } from "./serve/flags.ts";
import { serve } from "./serve/serve.ts";

const FAILED = 1;

async function main(args: readonly string[]): Promise<number> {
  const [command, ...flags] = args;
  if (command === "--version") return say(`${VERSION_TEXT}\n`);
  if (command === "--help" || flags.includes("--help")) return say(SERVE_HELP);
  if (command !== "serve")
    return complain(`unknown command "${command ?? ""}"; use konductor serve, or --help`);
  let config: ServeConfig;
  try {
    config = readServeConfig(flags, process.env);
  } catch (error) {
    return complain(describeError(error));
  }
  return run(config);
}

async function run(config: ServeConfig): Promise<number> {
  const logger = createLogger({ level: config.logLevel }).child({ replica: config.identity });
  const ending = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => ending.abort());
  try {
    await serve({ config, clock: systemClock(), logger, memoryBytes: memoryBytes(), signal: ending.signal });
    return EXIT.done;
  } catch (error) {
    if (ending.signal.aborted) return EXIT.done;
    logger.fatal({ error: describeError(error) }, "konductor cannot go on");
    return FAILED;
  }
}

/** The limit of this process's cgroup, else the machine's memory. Without a limit Node answers with a number beyond all memory. */
function memoryBytes(): number {
  return Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
}

function say(text: string): number {
  process.stdout.write(text);
  return EXIT.done;
}

function complain(sentence: string): number {
  process.stderr.write(`konductor: ${sentence}\n`);
  return EXIT.badConfiguration;
}

// Open handles must not keep a replica alive that has handed its work over.
process.exit(await main(process.argv.slice(2)));
