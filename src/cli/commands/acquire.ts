import type { Command } from "commander";
import type { ClientHold, Wish } from "../../client/types.ts";
import { isoTime } from "../../shared/times.ts";
import { type AcquireFlags, addAcquireFlags, readAcquireFlags } from "../acquire-flags.ts";
import type { CommandContext, RunAction } from "../cli-context.ts";
import { refuseHoldAround } from "../holds-around.ts";
import { leaseClientOf, printOutcome } from "../lease-client.ts";
import { showWaiting } from "../waiting-line.ts";

type Flags = AcquireFlags & { takeOver: boolean };

/** `koncli lease acquire NAME`. */
export function registerAcquire(lease: Command, run: RunAction): void {
  const command = lease
    .command("acquire <name>")
    .description("acquire a klease, at once or after waiting for it");
  addAcquireFlags(command, "the host name")
    .option(
      "--take-over",
      "take over the hold of another process under this name; that process must have ended",
      false,
    )
    .addHelpText(
      "after",
      "\nEnds with 0 if it is acquired, 1 if somebody else has it, 2 if it cannot be asked for, or is acquired but cannot be " +
        "shown as --output asks. A second process under the same name is " +
        "somebody else; only what was acquired in the same pod is found again.\n" +
        "\nExamples:\n" +
        "  koncli lease acquire db-migration --holder $HOSTNAME --ttl 10m\n" +
        "  koncli lease acquire db-migration --holder $HOSTNAME --wait --timeout 5m",
    )
    .action(async (name: string, flags: Flags, invoked: Command) => {
      const wish = { ...readAcquireFlags(flags), join: flags.takeOver };
      await run(invoked, (context) => acquire(context, { ...wish, lease: name, holder: flags.holder }));
    });
}

type Options = Omit<Wish, "pod" | "holder"> & { holder: string | undefined };

async function acquire(context: CommandContext, { holder, ...wish }: Options): Promise<void> {
  const { io } = context;
  const client = leaseClientOf(context);
  const waiting = showWaiting(context, client, wish);
  try {
    const hold = await client.acquire({
      ...wish,
      holder: holder ?? io.hostname,
      pod: io.podUid,
      signal: io.signal,
      // A take-over does not wait, so it cannot wait for its own parent.
      onLease: (lease) => wish.join || refuseHoldAround(lease, io.env),
      onWaiting: waiting.show,
    });
    waiting.end();
    await printOutcome(context, wish.lease, `klease ${wish.lease} acquired by ${describe(hold)}`);
  } finally {
    waiting.end();
  }
}

/** "web-1, token 17, until 2026-01-01T00:00:00Z". */
export function describe({ holder, token, expiresMs }: ClientHold): string {
  return `${holder}, token ${token}, until ${isoTime(expiresMs).replace(/\.\d+Z$/, "Z")}`;
}
