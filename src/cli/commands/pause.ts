import type { Command } from "commander";
import { LEASES } from "../../kube/resources.ts";
import { parseLease } from "../../lease/codec.ts";
import type { Lease } from "../../lease/types.ts";
import { PAUSE_ANNOTATION } from "../../shared/names.ts";
import { type CommandContext, isObjectOutput, type RunAction } from "../cli-context.ts";
import { pauseReason } from "../flags.ts";
import { formatName, formatObject } from "../format-object.ts";
import { printable } from "../printable.ts";
import { readLease } from "../read-lease.ts";

/** `koncli lease pause NAME`: from then on nobody new is granted it. */
export function registerPause(lease: Command, run: RunAction): void {
  lease
    .command("pause <name>")
    .description("grant a klease to nobody new until it is resumed; whoever holds it goes on")
    .option("--reason <text>", "what those who wait are told", pauseReason)
    .addHelpText(
      "after",
      '\nWho waits keeps its place. A klease that is paused already gets the new reason.\n\nExample:\n  koncli lease pause nightly-report --reason "restoring the database"',
    )
    .action(async (name: string, { reason }: { reason?: string }, command: Command) => {
      await run(command, (context) =>
        change(context, name, {
          spec: { paused: true, pauseReason: reason ?? null },
          said: ({ status: { hold } }) =>
            `klease ${name} is paused: nobody new is granted it${hold ? `, and ${hold.holder} goes on holding it` : ""}`,
        }),
      );
    });
}

/** `koncli lease resume NAME`. */
export function registerResume(lease: Command, run: RunAction): void {
  lease
    .command("resume <name>")
    .description("grant a paused klease again")
    .addHelpText("after", "\nExample:\n  koncli lease resume nightly-report")
    .action(async (name: string, _: object, command: Command) => {
      await run(command, (context) =>
        change(context, name, {
          spec: { paused: null, pauseReason: null },
          said: () => `klease ${name} is not paused any more`,
        }),
      );
    });
}

interface Change {
  /** null removes a field. */
  spec: Readonly<Record<string, unknown>>;
  said(lease: Lease): string;
}

async function change(context: CommandContext, name: string, { spec, said }: Change): Promise<void> {
  const { cluster, output, print } = context;
  const { client, namespace } = cluster;
  const { lease } = await readLease(context, name);
  // While konductor is down its webhook neither renews nor removes the annotation of an earlier pause.
  const goesOn = lease.spec.paused && spec["paused"] === true;
  const annotations = goesOn ? {} : { [PAUSE_ANNOTATION]: null };
  // Of this very klease, and not of a later one of its name.
  const patch = { metadata: { uid: lease.uid, annotations }, spec };
  const object = await client.patch(LEASES, { namespace, name }, patch, { type: "merge" });
  if (isObjectOutput(output)) return print(formatObject(object, output));
  print(output === "name" ? formatName("lease", name) : `${printable(said(parseLease(object)))}\n`);
}
