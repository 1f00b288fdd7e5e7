/** The `koncli` command. */
import { runCli } from "../cli/program.ts";
import { systemClock } from "../shared/clock.ts";

process.exitCode = await runCli(process.argv.slice(2), {
  clock: systemClock(),
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
});
