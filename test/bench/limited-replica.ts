/** One `konductor serve` within the memory limit that deploy/ ships, with the rights of konductor's own account. Needs root on Linux. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import type { KubeClient } from "../../src/kube/api.ts";
import { list, record, text } from "../../src/shared/json.ts";
import { buildPrograms } from "../../tools/build.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import { adminClient } from "../e2e/admin-client.ts";
import { accountKubeconfig } from "../e2e/process-environment.ts";
import { replicaFlags } from "../e2e/replica.ts";
import { kubectlOf } from "../integration/kubectl.ts";
import { limitMemory } from "./memory-limit.ts";

const ROOT = join(import.meta.dirname, "../..");
const MANIFESTS = ["namespace.yaml", "crds", "rbac.yaml", "own-account.yaml", "service.yaml"];
const READY_WITHIN_MS = 300_000;
export const MIB = 1_024 * 1_024;

export interface LimitedReplica {
  port: number;
  isReady: boolean;
  /** The time until the replica was ready, or was given up. */
  startSeconds: number;
  /** Resident memory now. */
  residentMib(): Promise<number>;
  /** Stops the replica, and resolves with its peak memory and how often it was killed. */
  stop(): Promise<{ peakMib: number; kills: number }>;
}

export interface Installed {
  /** With an admin's rights. */
  client: KubeClient;
  limitMib: number;
  start(name: string): Promise<LimitedReplica>;
}

/** Applies konductor's manifests, except for its webhook, to a cluster without nodes. */
export async function installLimited(cluster: Cluster): Promise<Installed> {
  const kubectl = kubectlOf(cluster);
  for (const path of MANIFESTS) await kubectl("apply", "--filename", join(ROOT, "deploy", path));
  await kubectl("wait", "--for=condition=Established", "--filename", join(ROOT, "deploy/crds"));
  const programsDir = join(cluster.dir, "programs");
  await buildPrograms({ root: ROOT, outDir: programsDir });
  const kubeconfigPath = await accountKubeconfig(kubectl, cluster.dir);
  const limitMib = await shippedLimitMib();

  return {
    client: adminClient(cluster),
    limitMib,
    async start(name) {
      const limit = await limitMemory(`konductor-bench-${process.pid}`, limitMib * MIB);
      const [port = 0, healthPort = 0] = cluster.freePorts;
      const gateUrl = `https://127.0.0.1:${port}`;
      const flags = [
        ...replicaFlags({ port, healthPort }, { kubeconfigPath, image: "konductor:bench", gateUrl }),
        `--identity=${name}`,
        "--write-ca-bundle=false",
      ];
      const program = [process.execPath, join(programsDir, "konductor.js"), "serve", ...flags];
      const beganMs = performance.now();
      const [command = "", ...args] = limit.command(program);
      const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
      const log = createWriteStream(join(cluster.dir, "log", `${name}.log`));
      child.stdout.pipe(log);
      child.stderr.pipe(log);
      const ended = once(child, "exit");
      const isReady = await waitFor({
        what: `the replica ${name} to be ready`,
        withinMs: READY_WITHIN_MS,
        holds: async () => (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).ok,
        abort() {
          if (child.exitCode !== null || child.signalCode !== null)
            throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`);
        },
      }).then(
        () => true,
        (error: unknown) => {
          process.stderr.write(`${name}: ${String(error)}\n`);
          return false;
        },
      );
      return {
        port,
        isReady,
        startSeconds: (performance.now() - beganMs) / 1_000,
        async residentMib() {
          const status = await readFile(`/proc/${child.pid}/status`, "utf8");
          return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_024;
        },
        async stop() {
          child.kill("SIGTERM");
          await ended;
          const took = { peakMib: (await limit.peakBytes()) / MIB, kills: await limit.kills() };
          await limit.remove();
          return took;
        },
      };
    },
  };
}

async function shippedLimitMib(): Promise<number> {
  const deployment = record(parse(await readFile(join(ROOT, "deploy/deployment.yaml"), "utf8")));
  const spec = record(record(record(deployment["spec"])["template"])["spec"]);
  const limits = record(record(record(list(spec["containers"])[0])["resources"])["limits"]);
  const mebibytes = /^(\d+)Mi$/.exec(text(limits["memory"]) ?? "")?.[1];
  if (mebibytes === undefined) throw new Error("deploy/deployment.yaml has no memory limit in Mi");
  return Number(mebibytes);
}
