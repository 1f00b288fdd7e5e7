import type { Command } from "commander";
import type { RunAction } from "../cli-context.ts";
import { port } from "../flags.ts";

interface DashboardFlags {
  port: number;
  open: boolean;
  allNamespaces: boolean;
}

/** `koncli dashboard`: a picture of kleases in the browser, until it is interrupted. */
export function registerDashboard(program: Command, run: RunAction): void {
  program
    .command("dashboard")
    .description("show kleases, their holds and who waits, in the browser")
    .option("--port <number>", "of 127.0.0.1; 0 is any that is free", port, 0)
    .option("--no-open", "only print the address")
    .option("-A, --all-namespaces", "of all namespaces", false)
    .addHelpText(
      "after",
      "\nThe page has your rights. Its address holds a key to them: give it to nobody.\n\nExamples:\n  koncli dashboard -n shop\n  koncli dashboard -A --port 8090 --no-open",
    )
    .action(async (flags: DashboardFlags, command: Command) => {
      // No other command waits for a server and its page to be loaded.
      const { serveDashboard } = await import("../dashboard/session.ts");
      await run(command, (context) => serveDashboard(context, flags));
    });
}
