import { type Command, Option } from "commander";
import { LEASES } from "../../kube/resources.ts";
import { formatDuration } from "../../lease/duration.ts";
import { defined } from "../../shared/json.ts";
import { type CommandContext, isObjectOutput, type RunAction } from "../cli-context.ts";
import { bool, count, priority, ttlMs } from "../flags.ts";
import { formatName, formatObject } from "../format-object.ts";

interface CreateFlags {
  ttl: number;
  priority?: number;
  renewable?: boolean;
  handoverPolicy?: string;
  paused?: boolean;
  minInterval?: number;
  maxWaiting?: number;
}

/** `koncli lease create NAME`. */
export function registerCreate(lease: Command, run: RunAction): void {
  lease
    .command("create <name>")
    .description("create a klease")
    .requiredOption("--ttl <duration>", "how long a holder that has gone silent keeps it", ttlMs)
    .option("--priority <n>", "of requests that name none (default: 0)", priority)
    .option("--renewable [bool]", "whether a hold can be renewed (default: true)", bool)
    .addOption(
      new Option("--handover-policy <policy>", "when the klease of a silent holder goes to the next").choices(
        ["AfterExpiry", "AfterTermination"],
      ),
    )
    .option(
      "--min-interval <duration>",
      "from the end of a hold to the next grant, at least (default: none)",
      ttlMs,
    )
    .option("--max-waiting <n>", "how many may wait (default: any number)", count)
    .option("--paused [bool]", "granted to nobody until it is resumed (default: false)", bool)
    .addHelpText(
      "after",
      "\nExamples:\n  koncli lease create nightly-report --ttl 10m\n  koncli lease create app-init --ttl 10m --renewable=false",
    )
    .action(async (name: string, flags: CreateFlags, command: Command) => {
      await run(command, (context) => createLease(context, name, flags));
    });
}

async function createLease(
  { cluster: { client, namespace }, output, print }: CommandContext,
  name: string,
  { ttl, minInterval, ...rest }: CreateFlags,
): Promise<void> {
  const interval = minInterval === undefined ? undefined : formatDuration(minInterval);
  const spec = { ttl: formatDuration(ttl), ...defined({ minInterval: interval, ...rest }) };
  const object = await client.create(LEASES, { metadata: { namespace, name }, spec });
  if (isObjectOutput(output)) return print(formatObject(object, output));
  print(output === "name" ? formatName("lease", name) : `klease ${name} created\n`);
}
