/** The `koncli` command. */
import { hostname } from "node:os";
import { basename } from "node:path";
import type { CliIo } from "../cli/cli-context.ts";
import { onPassedSignal } from "../cli/passed-signals.ts";
import { runCli } from "../cli/program.ts";
import { ownPodUid } from "../client/own-pod.ts";
import { systemClock } from "../shared/clock.ts";

/** The name under which kubectl calls a plugin's completion. */
const KUBECTL_COMPLETE = "kubectl_complete-koncli";

const ending = new AbortController();
// Once: who asks a second time is not made to wait.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => ending.abort());
// A closed stdout ends waiting and watching, but no hold and no command under one.
process.stdout.on("error", () => ending.abort());
process.stderr.on("error", () => undefined);

const io: CliIo = {
  clock: systemClock(),
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTerminal: process.stderr.isTTY === true,
  isInteractive: process.stdin.isTTY === true && process.stderr.isTTY === true,
  env: process.env,
  hostname: hostname(),
  podUid: ownPodUid(),
  signal: ending.signal,
  onExit(cleanUp) {
    process.on("exit", cleanUp);
    return () => process.off("exit", cleanUp);
  },
  onSignal: onPassedSignal,
};

void main(process.argv).then((code) => {
  process.exitCode = code;
});

async function main([, path = "", ...args]: readonly string[]): Promise<number> {
  if (basename(path) !== KUBECTL_COMPLETE) return runCli(args, io);
  // kubectl also expects a completion directive: 4 means no file names.
  const code = await runCli(["__complete", ...args], io);
  io.out(":4\n");
  return code;
}
