import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Cluster, type Log, startCluster } from "../cluster/cluster.ts";
import { run } from "../cluster/command.ts";
import { readRecord } from "../cluster/state/record.ts";
import { cleanUpLeftovers, registryDir } from "../cluster/state/slots.ts";
import { KUBERNETES_VERSION } from "../cluster/versions.ts";
import { waitFor } from "../cluster/wait.ts";

const shared = inject("cluster");
const quiet: Log = { line() {}, status() {} };

function kubectl(
  cluster: Pick<Cluster, "kubectlPath" | "kubeconfigPath">,
  ...args: string[]
): Promise<string> {
  return run(cluster.kubectlPath, [
    `--kubeconfig=${cluster.kubeconfigPath}`,
    "--request-timeout=3s",
    ...args,
  ]);
}

/** Pids of all processes whose command line names a path. */
async function processesNaming(path: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const named = await Promise.all(
    pids.map(async (pid) => (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).includes(path)),
  );
  return pids.filter((_, index) => named[index]);
}

async function recordPathOf(dir: string): Promise<string> {
  const registry = registryDir();
  for (const name of (await readdir(registry)).filter((each) => each.endsWith(".json"))) {
    if ((await readRecord(join(registry, name)))?.dir === dir) return join(registry, name);
  }
  throw new Error(`no record names ${dir}`);
}

test("the control plane is the pinned version of Kubernetes", async () => {
  const version: unknown = JSON.parse(await kubectl(shared, "get", "--raw", "/version"));
  expect(version).toMatchObject({ gitVersion: KUBERNETES_VERSION });
});

test("the audit log shows who got which answer", async () => {
  await expect(kubectl(shared, "get", "pod", "nowhere", "--as=nobody")).rejects.toThrow("Forbidden");
  // An audit event is written before its request is answered.
  const events = (await readFile(shared.auditLogPath, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
  expect(events).toContainEqual(
    expect.objectContaining({
      impersonatedUser: expect.objectContaining({ username: "nobody" }),
      responseStatus: expect.objectContaining({ code: 403 }),
    }),
  );
});

describe("two clusters at once", () => {
  const clusters: Cluster[] = [];

  beforeAll(async () => {
    const start = () => startCluster({ node: "none", env: shared.env, log: quiet });
    clusters.push(...(await Promise.all([start(), start()])));
  });
  afterAll(() => Promise.all(clusters.map((cluster) => cluster.stop())));

  const pair = (): readonly [Cluster, Cluster] => {
    const [one, other] = clusters;
    if (!one || !other) throw new Error("the clusters did not start");
    return [one, other];
  };

  test("do not see each other's objects", async () => {
    const [one, other] = pair();
    await kubectl(one, "create", "namespace", "only-here");
    await expect(kubectl(other, "get", "namespace", "only-here")).rejects.toThrow("NotFound");
  });

  test("a killed API server is gone, and has its data again once it is restarted", async () => {
    const [{ controlPlane, ...cluster }] = pair();
    await kubectl(cluster, "create", "namespace", "kept");
    await controlPlane.kill("kube-apiserver");
    expect(controlPlane.pid("kube-apiserver")).toBeUndefined();
    await expect(kubectl(cluster, "get", "namespace", "kept")).rejects.toThrow("refused");
    await controlPlane.start("kube-apiserver");
    await kubectl(cluster, "get", "namespace", "kept");
  });

  test("a paused etcd blocks writes until it is resumed", async () => {
    const [{ controlPlane, ...cluster }] = pair();
    controlPlane.pause("etcd");
    await expect(kubectl(cluster, "create", "namespace", "late")).rejects.toThrow();
    controlPlane.resume("etcd");
    await waitFor({
      what: "the write to go through",
      withinMs: 20_000,
      holds: async () => (await kubectl(cluster, "create", "namespace", "later")) !== "",
    });
  });

  test("leave nothing behind when they are stopped", async () => {
    const [one, other] = pair();
    expect(await processesNaming(`${one.dir}/`)).not.toEqual([]);
    await one.stop();
    expect(await processesNaming(`${one.dir}/`)).toEqual([]);
    expect(existsSync(one.dir)).toBe(false);
    await kubectl(other, "get", "namespaces");
  });
});

describe("a cluster whose owner is killed", () => {
  /** Starts a cluster in another process and returns its folder when the cluster is ready. */
  async function upElsewhere(): Promise<{ owner: ChildProcess; dir: string }> {
    const main = join(import.meta.dirname, "../cluster/main.ts");
    const owner = spawn(process.execPath, [main, "up", "--node=none"], {
      env: shared.env,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const { value: dir = "" } = await createInterface(owner.stdout)[Symbol.asyncIterator]().next();
    expect(await processesNaming(`${dir}/`)).not.toEqual([]);
    return { owner, dir };
  }
  const isGone = async (dir: string) => !existsSync(dir) && (await processesNaming(`${dir}/`)).length === 0;

  test("is ended by its reaper", async () => {
    const { owner, dir } = await upElsewhere();
    owner.kill("SIGKILL");
    await waitFor({ what: `everything of ${dir} to end`, withinMs: 20_000, holds: () => isGone(dir) });
  });

  test("is ended by the next start when its reaper is killed, too", async () => {
    const { owner, dir } = await upElsewhere();
    const [reaper] = await processesNaming(await recordPathOf(dir));
    process.kill(Number(reaper), "SIGKILL");
    owner.kill("SIGKILL");
    await once(owner, "exit");
    expect(await isGone(dir)).toBe(false);
    const lines: string[] = [];
    await cleanUpLeftovers({ line: (line) => lines.push(line), status() {} });
    expect(lines).toContainEqual(expect.stringContaining(dir));
    expect(await isGone(dir)).toBe(true);
  });
});

test("a folder that is not empty is refused and left unchanged", async () => {
  const dir = import.meta.dirname;
  await expect(startCluster({ node: "none", env: shared.env, log: quiet, dir })).rejects.toThrow("not empty");
  expect(existsSync(import.meta.filename)).toBe(true);
});
