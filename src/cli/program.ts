import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { awakeClock } from "../client/awake-clock.ts";
import { type ClusterFlags, connect } from "../client/connect.ts";
import { createServerClock } from "../kube/server-clock.ts";
import { VERSION_TEXT } from "../shared/version.ts";
import { type Action, type CliIo, JSONPATH, OUTPUTS, type Output } from "./cli-context.ts";
import { registerAcquire } from "./commands/acquire.ts";
import { registerCompletion } from "./commands/completion.ts";
import { registerCreate } from "./commands/create.ts";
import { registerDashboard } from "./commands/dashboard.ts";
import { registerDelete } from "./commands/delete.ts";
import { registerDoctor } from "./commands/doctor.ts";
import { registerDone } from "./commands/done.ts";
import { registerExec } from "./commands/exec.ts";
import { registerForget } from "./commands/forget.ts";
import { registerHistory } from "./commands/history.ts";
import { registerList } from "./commands/list.ts";
import { registerPause, registerResume } from "./commands/pause.ts";
import { registerQueue } from "./commands/queue.ts";
import { registerRelease } from "./commands/release.ts";
import { registerRenew } from "./commands/renew.ts";
import { registerStatus } from "./commands/status.ts";
import { registerTop } from "./commands/top.ts";
import { registerVersion } from "./commands/version.ts";
import { registerWatch } from "./commands/watch.ts";
import { registerWhy } from "./commands/why.ts";
import { complete } from "./complete.ts";
import { CLI_EXIT, exitCodeOf, sentenceOf, usageSentence } from "./failure.ts";
import { leaseName, namespace, ttlMs } from "./flags.ts";
import { parseTemplate } from "./jsonpath.ts";
import { createPlainLog } from "./plain-log.ts";

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
    io.out((await complete(program, words, io.env)).map((each) => `${each}\n`).join(""));
    return exitCode;
  }
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      io.err(`error: ${sentenceOf(error)}\n`);
      return exitCodeOf(error);
    }
    // Help and version end with 0. Help shown for a missing command needs no further error.
    if (error.exitCode === 0) return CLI_EXIT.yes;
    if (error.code !== "commander.help") io.err(`error: ${usageSentence(error.message)}\n`);
    return CLI_EXIT.trouble;
  }
}

/** The program with all of its commands; `exit` receives a command's exit code. */
export function createProgram(io: CliIo, exit: (code: number) => void): Command {
  const program = new Command("koncli")
    .description("Leases for scripts and people: one workload at a time on Kubernetes.")
    .version(VERSION_TEXT, "--version", "print the version")
    .option("-n, --namespace <name>", "namespace (default: the kubeconfig's, or the pod's own)", namespace)
    .option(
      "--kubeconfig <file>",
      "kubeconfig (default: $KUBECONFIG, ~/.kube/config, or the pod's service account)",
    )
    .option("--context <name>", "context of the kubeconfig")
    .option("--as <user>", "user to impersonate")
    .addOption(new Option("--as-group <group>", "group to impersonate; may be repeated").argParser(oneMore))
    .option("--as-uid <uid>", "UID to impersonate")
    .option(
      "--request-timeout <duration>",
      "how long one call of the API server may take (default: 10s)",
      ttlMs,
    )
    .addOption(
      new Option("-o, --output <format>", `${OUTPUTS.join("|")}|jsonpath=TEMPLATE`)
        .choices(OUTPUTS)
        .default("text")
        .argParser(readOutput),
    )
    .option("-v, --verbose", "log every call of the API server to stderr", false)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: io.out, writeErr: io.err, outputError: () => {} });
  const lease = program
    .command("lease")
    .description("acquire, hold, release and see kleases (leases.konductor.io)");

  const run = async (command: Command, action: Action): Promise<void> => {
    const { output, verbose, requestTimeout, ...flags } = command.optsWithGlobals<Flags>();
    const cluster = connect(
      { ...flags, requestTimeoutMs: requestTimeout },
      {
        userAgent: `koncli/${VERSION_TEXT}`,
        env: io.env,
        isInteractive: io.isInteractive,
        logger: verbose ? callLog(io) : undefined,
      },
    );
    try {
      const server = createServerClock(awakeClock(io.clock));
      const code = await action({ cluster, output, server, print: io.out, io });
      if (typeof code === "number") exit(code);
    } finally {
      await cluster.client.close();
    }
  };
  for (const register of COMMANDS) register(lease, run);
  for (const argument of lease.commands.flatMap((each) => each.registeredArguments)) {
    if (argument.name() === "name") argument.argParser(leaseName);
  }
  registerDashboard(program, run);
  registerDoctor(program, run);
  registerVersion(program, run, io);
  registerCompletion(program, io);
  return program;
}

/** Throws for an unknown format or a malformed template, before anything is sent. */
function readOutput(value: string): Output {
  if (value.startsWith(JSONPATH)) {
    parseTemplate(value.slice(JSONPATH.length));
    return `${JSONPATH}${value.slice(JSONPATH.length)}`;
  }
  const output = OUTPUTS.find((known) => known === value);
  if (!output)
    throw new InvalidArgumentError(`Allowed choices are ${OUTPUTS.join(", ")}, ${JSONPATH}TEMPLATE.`);
  return output;
}

/** A flag that may be given several times. */
const oneMore = (value: string, before: string[] = []) => [...before, value];

/** In the order in which help shows them. */
const COMMANDS = [
  registerAcquire,
  registerRenew,
  registerRelease,
  registerExec,
  registerStatus,
  registerWhy,
  registerList,
  registerTop,
  registerQueue,
  registerHistory,
  registerDone,
  registerForget,
  registerWatch,
  registerPause,
  registerResume,
  registerCreate,
  registerDelete,
];

type Flags = ClusterFlags & { output: Output; verbose: boolean; requestTimeout?: number };

/** Paths and answers, never a token or a body. */
function callLog(io: CliIo) {
  return createPlainLog(
    io,
    "debug",
    ({ time, method, path, status }) => `${time} ${method} ${path}: HTTP ${status}`,
  );
}
