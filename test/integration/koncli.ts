/** koncli in this process, as scripts run it: arguments in, text and exit code out. */
import { hostname } from "node:os";
import type { CliIo } from "../../src/cli/context.ts";
import { runCli } from "../../src/cli/program.ts";
import { systemClock } from "../../src/shared/clock.ts";

export interface Outcome {
  code: number;
  out: string;
  err: string;
}

/** Runs koncli with `args`; `io` changes the world around it. */
export async function koncli(args: readonly string[], io: Partial<CliIo> = {}): Promise<Outcome> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCli(args, {
    clock: systemClock(),
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    isTerminal: false,
    env: {},
    hostname: hostname(),
    signal: new AbortController().signal,
    onSignal: () => () => {},
    ...io,
  });
  return { code, out: out.join(""), err: err.join("") };
}
