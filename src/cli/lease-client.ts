import { awakeClock } from "../client/awake-clock.ts";
import { createLeaseClient } from "../client/lease-client.ts";
import { persist } from "../client/persist.ts";
import type { LeaseClient } from "../client/types.ts";
import { KonductorError } from "../shared/errors.ts";
import { type CommandContext, isObjectOutput } from "./cli-context.ts";
import { formatName, formatObject } from "./format-object.ts";
import { readLease } from "./read-lease.ts";

const READ_WITHIN_MS = 10_000;

/** The client by which a command acquires, renews and releases. */
export function leaseClientOf({ cluster: { client, namespace }, io }: CommandContext): LeaseClient {
  return createLeaseClient({ client, namespace, clock: awakeClock(io.clock) });
}

/**
 * Prints what came of a command: its sentence, the klease, or its name. Where the klease cannot be read any more, the error says what came of the
 * command all the same: a hold that nobody knows of would last for its ttl.
 */
export async function printOutcome(context: CommandContext, name: string, sentence: string): Promise<void> {
  const { output, print } = context;
  if (isObjectOutput(output))
    return print(formatObject(await readAfterwards(context, name, sentence), output));
  print(output === "name" ? formatName("lease", name) : `${sentence}\n`);
}

async function readAfterwards(context: CommandContext, name: string, sentence: string): Promise<unknown> {
  const { clock, signal } = context.io;
  const read = () => readLease(context, name);
  try {
    return (await persist({ clock, random: Math.random }, read, { forMs: READ_WITHIN_MS, signal })).object;
  } catch (error) {
    if (!(error instanceof KonductorError)) throw error;
    throw new KonductorError(error.code, `${sentence}, but cannot be shown`, { cause: error });
  }
}
