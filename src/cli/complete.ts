import type { Command, Option } from "commander";
import { connect } from "../client/connect.ts";
import type { Env } from "../client/kubeconfig.ts";
import { JOBS, LEASES, NAMESPACES, PODS, type Resource } from "../kube/resources.ts";
import { record, text } from "../shared/json.ts";
import { LEASE_LABEL } from "../shared/names.ts";
import { VERSION_TEXT } from "../shared/version.ts";

/** The shell waits up to this long at every press of Tab. */
const ASK_WITHIN_MS = 2_000;

/** The line as typed so far: its command, the number of its arguments, and the values of its flags by long name. */
interface Line {
  command: Command;
  values: ReadonlyMap<string, string>;
  arguments: number;
  /** The flag whose value comes next. */
  pending: Option | undefined;
}

/**
 * Candidates for the last of `words`, the words after the program's name. Names of kleases and namespaces come from the cluster; if it
 * cannot be asked, there are none.
 */
export async function complete(program: Command, words: readonly string[], env: Env): Promise<string[]> {
  const given = withValues(words);
  const last = given.at(-1) ?? "";
  const before = given.slice(0, -1);
  if (before.includes("--")) return []; // koncli knows nothing about the command it is to run
  const line = readLine(program, before);
  const [, name = "", value] = line.pending ? [] : (/^(--[^=]+)=(.*)$/s.exec(last) ?? []);
  if (value === undefined) return matches(await candidatesFor(line, last, env), last);
  const pending = flagOf(line.command, name);
  const values = pending ? matches(await candidatesFor({ ...line, pending }, value, env), value) : [];
  const isWhole = last === words.at(-1);
  return isWhole ? values.map((each) => `${name}=${each}`) : values;
}

function matches(candidates: readonly string[], start: string): string[] {
  return candidates.filter((each) => each.startsWith(start)).sort();
}

/** bash splits `--flag=value` into three words and replaces only the last: they are joined here. */
function withValues(words: readonly string[]): string[] {
  const given: string[] = [];
  for (const [index, word] of words.entries()) {
    const follows = word === "=" || words[index - 1] === "=";
    const flag = follows && given.at(-1)?.startsWith("--") ? given.pop() : undefined;
    given.push(`${flag ?? ""}${word}`);
  }
  return given;
}

async function candidatesFor({ command, values, arguments: count, pending }: Line, last: string, env: Env) {
  if (pending) {
    if (pending.long?.endsWith("namespace")) return names(NAMESPACES, values, env);
    return pending.argChoices ?? [];
  }
  if (last.startsWith("-"))
    return flagsOf(command).flatMap(({ long, hidden }) => (long && !hidden ? [long] : []));
  const commands = command.commands.map((each) => each.name());
  if (commands.length > 0) return count === 0 ? [...commands, "help"] : [];
  const argument = command.registeredArguments[count];
  if (argument?.argChoices) return argument.argChoices;
  if (argument?.name() === "workload") return workloads(values, env);
  return argument?.name() === "name" ? names(LEASES, values, env) : [];
}

function readLine(program: Command, words: readonly string[]): Line {
  let command = program;
  let count = 0;
  let pending: Option | undefined;
  const values = new Map<string, string>();
  for (const word of words) {
    if (pending) {
      values.set(pending.long ?? "", word);
      pending = undefined;
    } else if (word.startsWith("-")) {
      const [name, value] = word.split("=", 2);
      const flag = flagOf(command, name);
      if (flag && value !== undefined) values.set(flag.long ?? "", value);
      else if (flag?.required) pending = flag;
    } else {
      const next = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
      if (next) command = next;
      else count++;
    }
  }
  return { command, values, arguments: count, pending };
}

function flagsOf(command: Command): readonly Option[] {
  return [...command.options, ...(command.parent ? flagsOf(command.parent) : [])];
}

function flagOf(command: Command, name: string | undefined): Option | undefined {
  return flagsOf(command).find(({ long, short }) => long === name || short === name);
}

/** Pods and Jobs that have the label, as `koncli lease why` takes them. */
async function workloads(values: Line["values"], env: Env): Promise<string[]> {
  const [pods, jobs] = await Promise.all(
    [PODS, JOBS].map((resource) => names(resource, values, env, LEASE_LABEL)),
  );
  return [...(pods ?? []), ...(jobs ?? []).map((name) => `job/${name}`)];
}

async function names(
  resource: Resource,
  values: Line["values"],
  env: Env,
  labelSelector?: string,
): Promise<string[]> {
  try {
    const [namespace, kubeconfig, context, as, asUid] = [
      ...["--namespace", "--kubeconfig", "--context", "--as", "--as-uid"],
    ].map((flag) => values.get(flag));
    // Of a repeated flag only the last value is known.
    const group = values.get("--as-group");
    const cluster = connect(
      { namespace, kubeconfig, context, as, asUid, ...(group && { asGroup: [group] }) },
      { userAgent: `koncli/${VERSION_TEXT}`, env },
    );
    const scope = resource.namespaced ? { namespace: cluster.namespace } : {};
    const options = { ...scope, labelSelector, timeoutMs: ASK_WITHIN_MS };
    const { items } = await cluster.client.list(resource, options, (item) =>
      text(record(record(item)["metadata"])["name"]),
    );
    await cluster.client.close();
    return items.filter((name) => name !== undefined);
  } catch {
    return []; // there is no place for an error on a line that is being written
  }
}
