/** A control group with a memory limit, as a container has one. Needs root on Linux. */
import { existsSync } from "node:fs";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const ROOT = "/sys/fs/cgroup";
/** Files and values by version of the cgroup interface. */
const V1 = {
  dir: "memory",
  limit: "memory.limit_in_bytes",
  peak: "memory.max_usage_in_bytes",
  kills: "memory.oom_control",
};
const V2 = { dir: "", limit: "memory.max", peak: "memory.peak", kills: "memory.events" };

export interface MemoryLimit {
  /** The command which runs the program in this group, so that the program finds its own limit as in a container. */
  command(program: readonly string[]): string[];
  peakBytes(): Promise<number>;
  /** How many processes the kernel has OOM-killed. */
  kills(): Promise<number>;
  /** Removes the group, once no process is in it any more. */
  remove(): Promise<void>;
}

export async function limitMemory(name: string, bytes: number): Promise<MemoryLimit> {
  const { dir, limit, peak, kills } = existsSync(join(ROOT, "memory")) ? V1 : V2;
  const path = join(ROOT, dir, name);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, limit), String(bytes));
  const number = async (file: string, pattern: RegExp) =>
    Number(pattern.exec(await readFile(join(path, file), "utf8"))?.[1] ?? Number.NaN);
  const enter = `echo $$ > ${join(path, "cgroup.procs")}`;
  // For version 1, libuv reads the limit at the root, which in a container is the container's own group.
  const show = dir === "" ? "true" : `mount --bind ${path} ${join(ROOT, dir)}`;
  return {
    command: (program) => [
      "unshare",
      "--mount",
      "sh",
      "-c",
      `${enter} && ${show} && exec "$@"`,
      "sh",
      ...program,
    ],
    peakBytes: () => number(peak, /^(\d+)/),
    kills: () => number(kills, /^oom_kill (\d+)$/m),
    remove: () => rmdir(path),
  };
}
