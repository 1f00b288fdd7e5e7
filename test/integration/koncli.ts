/** koncli in this process, as scripts run it: arguments in, text and exit code out. */
import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import type { CliIo } from "../../src/cli/cli-context.ts";
import { runCli } from "../../src/cli/program.ts";
import { systemClock } from "../../src/shared/clock.ts";
import { list, record } from "../../src/shared/json.ts";
import type { Kubectl } from "./kubectl.ts";

export interface Outcome {
  code: number;
  out: string;
  err: string;
}

/** Runs koncli with `args`; `io` replaces parts of its environment. */
export async function koncli(args: readonly string[], io: Partial<CliIo> = {}): Promise<Outcome> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCli(args, {
    clock: systemClock(),
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    isTerminal: false,
    isInteractive: false,
    env: {},
    hostname: hostname(),
    podUid: undefined,
    signal: new AbortController().signal,
    onExit: () => () => {},
    onSignal: () => () => {},
    ...io,
  });
  return { code, out: out.join(""), err: err.join("") };
}

/** Writes a kubeconfig for kubectl's cluster to `path` and returns the path: for `user`, and with `change` made to the cluster. */
export async function writeKubeconfig(
  kubectl: Kubectl,
  path: string,
  { user, change = {} }: { user?: object; change?: object },
): Promise<string> {
  const config = record(JSON.parse(await kubectl("config", "view", "--raw", "--flatten", "-o", "json")));
  const users = list(config["users"]).map((entry) => ({ ...record(entry), ...(user && { user }) }));
  const clusters = list(config["clusters"]).map((entry) => {
    const { name, cluster } = record(entry);
    return { name, cluster: { ...record(cluster), ...change } };
  });
  await writeFile(path, JSON.stringify({ ...config, users, clusters }), { mode: 0o600 });
  return path;
}
