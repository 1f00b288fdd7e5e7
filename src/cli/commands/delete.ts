import type { Command } from "commander";
import { LEASES } from "../../kube/resources.ts";
import type { CommandContext, RunAction } from "../cli-context.ts";
import { formatName } from "../format-object.ts";
import { printable } from "../printable.ts";
import { readLease } from "../read-lease.ts";

/** `koncli lease delete NAME`. */
export function registerDelete(lease: Command, run: RunAction): void {
  lease
    .command("delete <name>")
    .description("delete a klease; who holds it loses it")
    .addHelpText("after", "\nExample:\n  koncli lease delete nightly-report")
    .action(async (name: string, _: object, command: Command) => {
      await run(command, (context) => deleteLease(context, name));
    });
}

async function deleteLease(context: CommandContext, name: string): Promise<void> {
  const { cluster, output, print, io } = context;
  const { lease } = await readLease(context, name);
  const { namespace, uid, status } = lease;
  // By uid: the klease that was just read, not a later one of the same name.
  await cluster.client.delete(LEASES, { namespace, name }, { uid });
  if (status.hold) {
    io.err(
      `warning: ${printable(status.hold.holder)} held klease ${name} and loses it; waiters are served once it has ended\n`,
    );
  }
  print(output === "name" ? formatName("lease", name) : `klease ${name} deleted\n`);
}
