/**
 * Ends a cluster from the outside, given only its record. Finds processes by their command lines, mounts by their paths, the network namespace by its
 * name. Touches nothing that does not carry the cluster's folder or id. Safe to repeat, and to run twice at once, as a reaper and the next start may:
 * each step repeats until nothing is left to do.
 */
import { existsSync } from "node:fs";
import { readdir, readFile, readlink, rm, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { run } from "../command.ts";
import { waitFor } from "../wait.ts";
import type { ClusterRecord } from "./record.ts";

/** Programs that we start, directly or through containerd. A pager that has one of our logs open is not among them. */
const PROGRAMS = new Set([
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubelet",
  "kube-proxy",
  "containerd",
  "containerd-shim-runc-v2",
  "runc",
]);

/** Where containerd keeps a folder for each container that has a process or a cgroup. */
const TASKS = "node/containerd/state/io.containerd.runtime.v2.task/k8s.io";
const CONTAINER_LOG_LINKS = "/var/log/containers";

export const networkNamespace = (id: string): string => `konductor-${id}`;

/** Ends everything and removes the cluster's folder. Rejects, leaving the folder, if a process or a mount remains. */
export async function cleanUp(record: ClusterRecord): Promise<void> {
  const containerIds = await readdir(join(record.dir, TASKS)).catch(() => []);
  await waitFor({
    what: `the processes of the cluster in ${record.dir} to end`,
    withinMs: 20_000,
    holds: async () => (await killProcesses(record.dir)) === 0,
  });
  await unmountBelow(record.dir);
  await removeNetworkNamespace(record.id);
  await removeContainerLogLinks(record.dir);
  await removeCgroups(containerIds);
  await rm(record.dir, { recursive: true, force: true, maxRetries: 5 });
}

/** Sends SIGKILL to every process of the cluster and, since the containers are children of their shims, to all descendants. */
async function killProcesses(dir: string): Promise<number> {
  const entries = await readdir("/proc");
  const pids = entries.filter((name) => /^\d+$/.test(name)).map(Number);
  let found = 0;
  for (const pid of pids) {
    if (!(await isOurs(pid, dir))) continue;
    found++;
    for (const each of [...(await descendants(pid)), pid]) kill(each);
  }
  return found;
}

async function isOurs(pid: number, dir: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  const [program = "", ...args] = commandLine.split("\0");
  return PROGRAMS.has(basename(program)) && args.some((arg) => arg.includes(`${dir}/`));
}

async function descendants(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = threads.map((thread) =>
    readFile(`/proc/${pid}/task/${thread}/children`, "utf8").catch(() => ""),
  );
  const children = (await Promise.all(lists)).join(" ").split(" ").filter(Boolean).map(Number);
  const below = await Promise.all(children.map(descendants));
  return [...below.flat(), ...children];
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Throws if a mount remains: the folder must not be removed through it. */
async function unmountBelow(dir: string): Promise<void> {
  await waitFor({
    what: `the mounts below ${dir} to go`,
    withinMs: 10_000,
    async holds() {
      for (const path of (await mountsBelow(dir)).reverse()) await run("umount", ["--lazy", path]);
      return (await mountsBelow(dir)).length === 0;
    },
  });
}

async function mountsBelow(dir: string): Promise<string[]> {
  const mounts = await readFile("/proc/self/mounts", "utf8");
  return mounts
    .split("\n")
    .map((line) => (line.split(" ")[1] ?? "").replace(/\\(\d{3})/g, unescapeOctal))
    .filter((path) => path.startsWith(`${dir}/`));
}

function unescapeOctal(_match: string, digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 8));
}

async function removeNetworkNamespace(id: string): Promise<void> {
  const name = networkNamespace(id);
  await waitFor({
    what: `network namespace ${name} to go`,
    withinMs: 10_000,
    async holds() {
      if (existsSync(`/run/netns/${name}`)) await run("ip", ["netns", "delete", name]);
      return true;
    },
  });
}

/** The kubelet keeps a link to each container's log in this fixed folder. */
async function removeContainerLogLinks(dir: string): Promise<void> {
  for (const name of await readdir(CONTAINER_LOG_LINKS).catch(() => [])) {
    const path = join(CONTAINER_LOG_LINKS, name);
    const target = await readlink(path).catch(() => "");
    if (target.startsWith(`${dir}/`)) await rm(path, { force: true });
  }
}

/** Containers' cgroups are named `/k8s.io/CONTAINER` in every hierarchy. */
async function removeCgroups(containerIds: readonly string[]): Promise<void> {
  const root = "/sys/fs/cgroup";
  const hierarchies = ["", ...(await readdir(root).catch(() => []))];
  const paths = hierarchies.flatMap((each) => containerIds.map((id) => join(root, each, "k8s.io", id)));
  await waitFor({
    what: "the kernel to let go of the containers' cgroups",
    withinMs: 10_000,
    holds: async () => {
      for (const path of paths.filter(existsSync)) await rmdir(path);
      return true;
    },
  });
}
