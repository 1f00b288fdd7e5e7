import type { Command } from "commander";
import { defined, record, text } from "../../shared/json.ts";
import { VERSION_TEXT } from "../../shared/version.ts";
import {
  type CliIo,
  type CommandContext,
  isObjectOutput,
  type Output,
  type RunAction,
} from "../cli-context.ts";
import { formatObject } from "../format-object.ts";

/** `koncli version`: its own, and the API server's, as `kubectl version` shows them. */
export function registerVersion(program: Command, run: RunAction, { out }: Pick<CliIo, "out">): void {
  program
    .command("version")
    .description("print the versions of koncli and of the API server")
    .option("--client", "of koncli alone, without asking the API server", false)
    .action(async ({ client }: { client: boolean }, command: Command) => {
      const { output } = command.optsWithGlobals<{ output: Output }>();
      if (client) return out(formatVersions({ clientVersion: VERSION_TEXT }, output));
      await run(command, printVersions);
    });
}

interface Versions {
  clientVersion: string;
  serverVersion?: string;
}

function formatVersions({ clientVersion, serverVersion }: Versions, output: Output): string {
  if (isObjectOutput(output)) return formatObject({ clientVersion, ...defined({ serverVersion }) }, output);
  return `Client Version: v${clientVersion}\n${serverVersion ? `Server Version: ${serverVersion}\n` : ""}`;
}

async function printVersions({ cluster, output, print }: CommandContext): Promise<void> {
  const answer = record(await cluster.client.raw("GET", "/version"));
  const serverVersion = text(answer["gitVersion"]) ?? "unknown";
  print(formatVersions({ clientVersion: VERSION_TEXT, serverVersion }, output));
}
