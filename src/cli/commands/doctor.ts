import type { Command } from "commander";
import { VERSION_TEXT } from "../../shared/version.ts";
import { type CommandContext, isObjectOutput, type RunAction } from "../cli-context.ts";
import { diagnose } from "../doctor/diagnose.ts";
import type { Finding } from "../doctor/finding.ts";
import { readInstall } from "../doctor/read-install.ts";
import { CLI_EXIT } from "../failure.ts";
import { namespace } from "../flags.ts";
import { formatObject } from "../format-object.ts";
import { printable } from "../printable.ts";

/** `koncli doctor`: whether konductor is installed as it should be, and works for this user. */
export function registerDoctor(program: Command, run: RunAction): void {
  program
    .command("doctor")
    .description("check konductor's install, and your own rights, and say what to do")
    .option(
      "--konductor-namespace <name>",
      "where konductor runs (default: where its webhook's Service is)",
      namespace,
    )
    .addHelpText(
      "after",
      "\nEnds with 0 if nothing fails, with 1 if something does, and with 2 if the API server cannot be asked.\n" +
        "\nExamples:\n  koncli doctor\n  koncli doctor -n shop -o json",
    )
    .action(async ({ konductorNamespace }: { konductorNamespace?: string }, command: Command) => {
      await run(command, (context) => examine(context, konductorNamespace));
    });
}

async function examine(context: CommandContext, konductorNamespace: string | undefined): Promise<number> {
  const { cluster, server, output, print, io } = context;
  const { clock, signal } = io;
  const install = await readInstall({
    ...{ ...cluster, konductorNamespace, koncliVersion: VERSION_TEXT, server, clock, signal },
  });
  const findings = diagnose(install);
  print(isObjectOutput(output) ? formatObject(findings, output) : findings.map(line).join(""));
  return findings.some(({ level }) => level === "fail") ? CLI_EXIT.no : CLI_EXIT.yes;
}

/** The longest name of a check. */
const CHECK_WIDTH = 11;

function line({ check, level, message, todo }: Finding): string {
  const text = todo === undefined ? message : `${message}; ${todo}`;
  return `${level.padEnd(4)}   ${check.padEnd(CHECK_WIDTH)}   ${printable(text)}\n`;
}
