/** The `koncli` command. */
import { hostname } from "node:os";
import type { CliIo } from "../cli/context.ts";
import { runCli } from "../cli/program.ts";
import { systemClock } from "../shared/clock.ts";

/** What a command that koncli runs is told, where koncli is told it. */
const PASSED_ON = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGTSTP",
  "SIGCONT",
  "SIGWINCH",
] as const;

const ending = new AbortController();
// Once: who asks a second time is not made to wait.
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => ending.abort());
// The reader of a pipe may have seen enough.
process.stdout.on("error", () => process.exit());

const io: CliIo = {
  clock: systemClock(),
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTerminal: process.stderr.isTTY === true,
  env: process.env,
  hostname: hostname(),
  signal: ending.signal,
  onSignal(listener) {
    for (const name of PASSED_ON) process.on(name, listener);
    return () => {
      for (const name of PASSED_ON) process.off(name, listener);
    };
  },
};

void runCli(process.argv.slice(2), io).then((code) => {
  process.exitCode = code;
});
