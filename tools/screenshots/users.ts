import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { list, record } from "../../src/shared/json.ts";

/** Writes a kubeconfig with which the cluster's admin acts as `user`, and returns its path. */
export async function kubeconfigOf(adminPath: string, user: string, dir: string): Promise<string> {
  const config = record(parse(await readFile(adminPath, "utf8")));
  const users = list(config["users"])
    .map(record)
    .map((entry) => ({ ...entry, user: { ...record(entry["user"]), as: user } }));
  const path = join(dir, `${user}.kubeconfig`);
  await writeFile(path, JSON.stringify({ ...config, users }), { mode: 0o600 });
  return path;
}
