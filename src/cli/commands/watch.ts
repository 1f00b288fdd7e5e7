import type { Command } from "commander";
import { type Change, createReflector } from "../../kube/reflector.ts";
import { LEASES } from "../../kube/resources.ts";
import { parseLease } from "../../lease/codec.ts";
import type { Lease } from "../../lease/types.ts";
import { reportsOf } from "../../objects/lease-reporter.ts";
import { isoTime } from "../../shared/times.ts";
import { type CommandContext, isObjectOutput, type RunAction } from "../cli-context.ts";
import { phaseOf } from "../describe-lease.ts";
import { formatName, formatObject } from "../format-object.ts";
import { createPlainLog } from "../plain-log.ts";
import { printable } from "../printable.ts";
import { readLease } from "../read-lease.ts";

/** `koncli lease watch [NAME]`: how kleases stand, and every change from then on, until it is interrupted. */
export function registerWatch(lease: Command, run: RunAction): void {
  lease
    .command("watch [name]")
    .description("follow a klease, or all of the namespace, until interrupted")
    .addHelpText(
      "after",
      "\nExamples:\n  koncli lease watch nightly-report\n  koncli lease watch -o json   # an object a line",
    )
    .action(async (name: string | undefined, _: object, command: Command) => {
      await run(command, (context) => watchLeases(context, name));
    });
}

type Watched = Lease & { object: unknown };

async function watchLeases(context: CommandContext, name: string | undefined): Promise<void> {
  const { cluster, io, server, print } = context;
  const { client, namespace } = cluster;
  // A refusal is reported at once; a watch that breaks later resumes by itself.
  if (name === undefined) await client.list(LEASES, { namespace, limit: 1, onResponse: server.observe });
  else await readLease(context, name);
  const reflector = createReflector<Watched>({
    client,
    resource: LEASES,
    namespace,
    parse: (object) => ({ ...parseLease(object), object }),
    clock: io.clock,
    logger: createPlainLog(io, "warn", ({ msg, error }) => `warning: ${msg}: ${error}`),
  });
  reflector.subscribe((change) => {
    if (name === undefined || change.object.name === name) print(linesOf(context, change).join(""));
  });
  reflector.start(io.signal);
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    io.signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function linesOf(
  { output, server }: CommandContext,
  { type, object: lease, old }: Change<Watched>,
): string[] {
  if (output === "json") return [`${JSON.stringify(lease.object)}\n`];
  if (output === "yaml") return [`---\n${formatObject(lease.object, output)}`];
  if (isObjectOutput(output)) return [formatObject(lease.object, output)];
  if (output === "name") return [formatName("lease", lease.name)];
  const { hold, waiters } = lease.status;
  const what = type === "deleted" ? ["deleted"] : old ? changesOf(old, lease) : [`${waiters} waiting`];
  const state = [lease.name, phaseOf(lease), hold?.holder ?? "-", hold?.token ?? "-"];
  return what.map((each) => `${printable([isoTime(server.nowMs()), ...state, each].join("  "))}\n`);
}

function changesOf(old: Lease, lease: Lease): string[] {
  const reports = reportsOf(old, lease).map(({ message }) => message);
  const [before, now] = [old.status, lease.status];
  if (now.hold && before.hold?.token === now.hold.token) {
    if (now.hold.renewals > before.hold.renewals)
      reports.push(`renewed until ${isoTime(now.hold.expiresMs)}`);
    if (now.hold.confirmed && !before.hold.confirmed) reports.push("confirmed");
    if (now.hold.releasing && !before.hold.releasing) reports.push("about to end");
  }
  if (now.waiters !== before.waiters) reports.push(`${now.waiters} waiting`);
  if (lease.generation !== old.generation) reports.push("its spec was changed");
  return reports;
}
