/** Ctrl-C and SIGTERM for programs that must shut down in order. */
import { describeError } from "../src/shared/errors.ts";

/** Exit code of a program that a signal has ended. */
export const INTERRUPTED = 130;

/**
 * Runs `main` with a signal that aborts on SIGINT or SIGTERM, and sets the exit code of `program`: the result of `main`; 1, with a sentence, if
 * `main` fails; 130 if a signal ended it.
 */
export async function runUntilSignalled(
  program: Pick<NodeJS.Process, "on" | "stderr" | "exitCode">,
  main: (signal: AbortSignal) => Promise<number>,
): Promise<void> {
  const ending = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    // npm passes on a Ctrl-C that this process has already received: the second one is ignored.
    program.on(name, () => {
      if (!ending.signal.aborted) program.stderr.write("\nending everything that was started\n");
      ending.abort(new Error("interrupted"));
    });
  }
  try {
    program.exitCode = await main(ending.signal);
  } catch (error) {
    if (error !== ending.signal.reason) program.stderr.write(`${describeError(error)}\n`);
    program.exitCode = ending.signal.aborted ? INTERRUPTED : 1;
  }
}
