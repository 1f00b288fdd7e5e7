/** docs/koncli-reference.md: every command and flag of koncli, as `--help` describes them. */
import { type Command, Help } from "commander";
import type { CliIo } from "../../src/cli/cli-context.ts";
import { createProgram } from "../../src/cli/program.ts";
import { systemClock } from "../../src/shared/clock.ts";
import { cell, FROM } from "./markdown.ts";

/** A command as the page shows it. */
export interface CommandHelp {
  /** With the names of the commands above it: `koncli lease acquire`. */
  readonly name: string;
  readonly usage: string;
  readonly description: string;
  readonly options: readonly { readonly flags: string; readonly description: string }[];
  /** What follows the flags, without the examples. */
  readonly notes: readonly string[];
  /** Command lines. */
  readonly examples: readonly string[];
}

/** koncli itself and each command that does something, in the order of the help. */
export function koncliCommands(): CommandHelp[] {
  const written: string[] = [];
  const program = createProgram(
    quietIo((text) => written.push(text)),
    () => undefined,
  );
  const readAll = (command: Command, prefix: string): CommandHelp[] => {
    const name = `${prefix}${command.name()}`;
    const isLeaf = command.commands.length === 0;
    return [
      ...(isLeaf || prefix === "" ? [readHelp(command, name, written)] : []),
      ...command.commands.flatMap((each) => readAll(each, `${name} `)),
    ];
  };
  return readAll(program, "");
}

/** The page. */
export function koncliPage(): string {
  const [program, ...commands] = koncliCommands();
  if (!program) throw new Error("koncli has no command");
  return [
    "# koncli, command by command",
    FROM("src/cli"),
    "`koncli COMMAND --help` prints the same. [koncli.md](koncli.md) explains when to use which.",
    "## Flags of every command",
    optionTable(program),
    ...commands.flatMap((command) => [
      `## ${command.name}`,
      sentence(command.description),
      `\`\`\`text\n${command.usage}\n\`\`\``,
      ...(command.options.length > 0 ? [optionTable(command)] : []),
      ...command.notes,
      ...(command.examples.length > 0
        ? [
            "<!-- not run: a unit test parses each line; the names are placeholders -->",
            `\`\`\`sh\n${command.examples.join("\n")}\n\`\`\``,
          ]
        : []),
    ]),
    "",
  ].join("\n\n");
}

function readHelp(command: Command, name: string, written: string[]): CommandHelp {
  const help = new Help();
  written.length = 0;
  command.outputHelp();
  const after = written.join("").slice(command.helpInformation().length);
  const paragraphs = after
    .split("\n\n")
    .map((each) => each.trim())
    .filter((each) => each !== "");
  const isExamples = (paragraph: string) => /^Examples?:/.test(paragraph);
  const lines = paragraphs.filter(isExamples).flatMap((paragraph) => paragraph.split("\n").slice(1));
  return {
    name,
    usage: help.commandUsage(command),
    description: command.description(),
    options: help
      .visibleOptions(command)
      .filter(({ long }) => long !== "--help")
      .map((option) => ({
        flags: option.flags,
        // A flag without a value is off unless it is given: that needs no words.
        description: help.optionDescription(option).replace(/ \(default: false\)$/, ""),
      })),
    notes: paragraphs.filter((each) => !isExamples(each)),
    examples: lines.map((line) => line.trim()),
  };
}

function optionTable({ options }: CommandHelp): string {
  const rows = options.map(
    ({ flags, description }) => `| \`${flags.replaceAll("|", "\\|")}\` | ${cell(description)} |`,
  );
  return ["| flag | |", "| --- | --- |", ...rows].join("\n");
}

const sentence = (words: string) => `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;

/** A process that only writes help. */
export function quietIo(out: (text: string) => void): CliIo {
  return {
    clock: systemClock(),
    out,
    err: out,
    isTerminal: false,
    isInteractive: false,
    env: {},
    hostname: "",
    podUid: undefined,
    signal: new AbortController().signal,
    onExit: () => () => undefined,
    onSignal: () => () => undefined,
  };
}
