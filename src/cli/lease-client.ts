import { awakeClock } from "../client/awake-clock.ts";
import { createLeaseClient } from "../client/lease-client.ts";
import type { LeaseClient } from "../client/types.ts";
import { type CommandContext, isObjectOutput } from "./cli-context.ts";
import { formatName, formatObject } from "./format-object.ts";
import { readLease } from "./read-lease.ts";

/** The client by which a command acquires, renews and releases. */
export function leaseClientOf({ cluster: { client, namespace }, io }: CommandContext): LeaseClient {
  return createLeaseClient({ client, namespace, clock: awakeClock(io.clock) });
}

/** Prints what came of a command: its sentence, the klease, or its name. */
export async function printOutcome(context: CommandContext, name: string, sentence: string): Promise<void> {
  const { output, print } = context;
  if (isObjectOutput(output)) {
    const { object } = await readLease(context, name);
    return print(formatObject(object, output));
  }
  print(output === "name" ? formatName("lease", name) : `${sentence}\n`);
}
