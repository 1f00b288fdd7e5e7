import { Command, CommanderError, Option } from "commander";
import { type ClusterFlags, connect } from "../client/connect.ts";
import { createServerClock } from "../client/server-clock.ts";
import { createLogger } from "../shared/log.ts";
import { VERSION_TEXT } from "../shared/version.ts";
import { registerAcquire } from "./commands/acquire.ts";
import { registerCompletion } from "./commands/completion.ts";
import { registerCreate } from "./commands/create.ts";
import { registerDelete } from "./commands/delete.ts";
import { registerExec } from "./commands/exec.ts";
import { registerHistory } from "./commands/history.ts";
import { registerList } from "./commands/list.ts";
import { registerQueue } from "./commands/queue.ts";
import { registerRelease } from "./commands/release.ts";
import { registerRenew } from "./commands/renew.ts";
import { registerStatus } from "./commands/status.ts";
import { registerWatch } from "./commands/watch.ts";
import { complete } from "./complete.ts";
import { type Action, type CliIo, OUTPUTS, type Output } from "./context.ts";
import { CLI_EXIT, exitCodeOf, sentenceOf } from "./failure.ts";

/** What a shell calls to complete a line: see commands/completion.ts. */
const COMPLETE = "__complete";

/** Runs koncli with the arguments after its name and resolves with its exit code. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  let exitCode: number = CLI_EXIT.yes;
  const program = createProgram(io, (code) => {
    exitCode = code;
  });
  const [first, ...words] = args;
  if (first === COMPLETE) {
    io.out((await complete(program, words)).map((each) => `${each}\n`).join(""));
    return exitCode;
  }
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    // commander has printed its own messages; help and version end with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? CLI_EXIT.yes : CLI_EXIT.trouble;
    io.err(`error: ${sentenceOf(error)}\n`);
    return exitCodeOf(error);
  }
}

/** The program with all of its commands; `exit` is told what a command ends with. */
export function createProgram(io: CliIo, exit: (code: number) => void): Command {
  const program = new Command("koncli")
    .description("Leases for scripts and people: one workload at a time on Kubernetes.")
    .version(VERSION_TEXT, "--version", "print the version")
    .option("-n, --namespace <name>", "namespace (default: the kubeconfig's, or the pod's own)")
    .option(
      "--kubeconfig <file>",
      "kubeconfig (default: $KUBECONFIG, ~/.kube/config, or the pod's service account)",
    )
    .option("--context <name>", "context of the kubeconfig")
    .addOption(new Option("-o, --output <format>", "output format").choices(OUTPUTS).default("text"))
    .option("-v, --verbose", "log every call of the API server to stderr", false)
    .showHelpAfterError("(koncli --help shows what there is)")
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err });
  const lease = program
    .command("lease")
    .description("acquire, hold, release and see kleases (leases.konductor.io)");

  const run = async (command: Command, action: Action): Promise<void> => {
    const { output, verbose, ...flags } = command.optsWithGlobals<Flags>();
    const cluster = connect(flags, `koncli/${VERSION_TEXT}`, verbose ? callLog(io) : undefined);
    try {
      const server = createServerClock(io.clock);
      const code = await action({ cluster, output, server, print: io.out, io });
      if (typeof code === "number") exit(code);
    } finally {
      await cluster.client.close();
    }
  };
  for (const register of COMMANDS) register(lease, run);
  registerCompletion(program, io);
  return program;
}

/** In the order in which help shows them. */
const COMMANDS = [
  registerAcquire,
  registerRenew,
  registerRelease,
  registerExec,
  registerStatus,
  registerList,
  registerQueue,
  registerHistory,
  registerWatch,
  registerCreate,
  registerDelete,
];

type Flags = ClusterFlags & { output: Output; verbose: boolean };

/** Paths and answers, never a token or a body. */
function callLog({ err }: CliIo) {
  return createLogger({ level: "debug", destination: { write: err } });
}
