import { Command, CommanderError, Option } from "commander";
import type { Clock } from "../shared/clock.ts";
import { describeError } from "../shared/errors.ts";
import { VERSION_TEXT } from "../shared/version.ts";
import { type ClusterFlags, connect } from "./cluster.ts";
import { type CommandContext, listLeases, OUTPUTS, type Output, showLease } from "./lease-commands.ts";

/** 1, "no", is for commands that ask for a klease. */
const CLI_EXIT = { yes: 0, trouble: 2 } as const;

export interface CliIo {
  clock: Clock;
  out(text: string): void;
  err(text: string): void;
}

/** Runs koncli with the arguments after its name and resolves with its exit code. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  const program = createProgram(io);
  try {
    await program.parseAsync([...args], { from: "user" });
    return CLI_EXIT.yes;
  } catch (error) {
    // commander has printed its own messages; help and version end with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? CLI_EXIT.yes : CLI_EXIT.trouble;
    io.err(`error: ${describeError(error)}\n`);
    return CLI_EXIT.trouble;
  }
}

function createProgram(io: CliIo): Command {
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
    .showHelpAfterError("(koncli --help shows what there is)")
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err });
  const lease = program.command("lease").description("see kleases (leases.konductor.io)");

  lease
    .command("status <name>")
    .description("show who holds a klease, since when, until when, and who waits")
    .addHelpText("after", "\nExample:\n  koncli lease status nightly-report")
    .action(async (name: string, _: object, command: Command) => {
      await within(command, io, (context) => showLease(context, name));
    });

  lease
    .command("list")
    .description("list kleases")
    .option("-A, --all-namespaces", "of all namespaces", false)
    .addHelpText("after", "\nExample:\n  koncli lease list --all-namespaces -o wide")
    .action(async (flags: { allNamespaces: boolean }, command: Command) => {
      await within(command, io, (context) => listLeases(context, flags));
    });

  return program;
}

/** Connects, runs `action`, and closes the connection, whatever happens. */
async function within(
  command: Command,
  io: CliIo,
  action: (context: CommandContext) => Promise<void>,
): Promise<void> {
  const { output, ...flags } = command.optsWithGlobals<ClusterFlags & { output: Output }>();
  const cluster = connect(flags);
  try {
    await action({ cluster, output, clock: io.clock, print: io.out });
  } finally {
    await cluster.client.close();
  }
}
