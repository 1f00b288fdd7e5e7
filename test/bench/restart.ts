/**
 * Whether a replica starts within the shipped memory limit beside what a cluster may hold at worst (`npm run bench:restart`, as root, some
 * minutes): labelled pods of 20 KB and of 1 MB, and LeaseRequests of the largest size that the policy konductor-sizes lets pass, on a real API
 * server. The floor is the same replica beside nothing. Ends with 1 where it was killed, or did not become ready.
 * usage: node test/bench/restart.ts [PODS BIG_PODS REQUESTS]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import type { KubeClient } from "../../src/kube/api.ts";
import { LEASE_REQUESTS, LEASES, NAMESPACES, PODS, type Resource } from "../../src/kube/resources.ts";
import { list, record, text } from "../../src/shared/json.ts";
import { API_VERSION, LEASE_LABEL } from "../../src/shared/names.ts";
import { buildPrograms } from "../../tools/build.ts";
import { startCluster, streamLog } from "../cluster/cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import { adminClient } from "../e2e/admin-client.ts";
import { accountKubeconfig } from "../e2e/process-environment.ts";
import { replicaFlags } from "../e2e/replica.ts";
import { kubectlOf } from "../integration/kubectl.ts";
import { limitMemory } from "./memory-limit.ts";

const ROOT = join(import.meta.dirname, "../..");
const MANIFESTS = ["namespace.yaml", "crds", "rbac.yaml", "own-account.yaml", "service.yaml"];
const NAMESPACE = "tenant";
const AT_ONCE = 16;
const READY_WITHIN_MS = 300_000;
const AT_WORK_MS = 30_000;
const KIB = 1_024;
const MIB = 1_024 * KIB;

const [pods = 10_000, bigPods = 200, requests = 10_000] = process.argv.slice(2).map(Number);

type Created = readonly [Resource, object];

function pod(name: string, bytes: number) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: NAMESPACE, labels: { [LEASE_LABEL]: "nightly" } },
    spec: { containers: [{ name: "main", image: "none", args: Array(bytes / KIB).fill("x".repeat(KIB)) }] },
  };
}

/** As much as konductor-sizes and the API server let pass. */
function request(name: string) {
  const many = (count: number, value: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`example.com/${index}`, value]));
  return {
    apiVersion: API_VERSION,
    kind: "LeaseRequest",
    metadata: {
      name,
      namespace: NAMESPACE,
      labels: { ...many(31, "x".repeat(63)), [LEASE_LABEL]: "nightly" },
      annotations: many(16, "x".repeat(KIB)),
      ownerReferences: Array.from({ length: 8 }, (_, index) => ({
        ...{
          apiVersion: "v1",
          kind: "ConfigMap",
          name: `${"x".repeat(250)}${index}`,
          uid: `${name}-${index}`,
        },
      })),
    },
    spec: { lease: "nightly", holder: "x".repeat(253), requestedAt: new Date().toISOString() },
  };
}

async function createAll(client: KubeClient, objects: Iterator<Created>): Promise<void> {
  async function worker(): Promise<void> {
    for (let next = objects.next(); !next.done; next = objects.next()) {
      const [resource, object] = next.value;
      await client.create(resource, object);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function* everything(): Generator<Created> {
  for (let index = 0; index < pods; index++) yield [PODS, pod(`pod-${index}`, 20 * KIB)];
  for (let index = 0; index < bigPods; index++) yield [PODS, pod(`big-${index}`, 1_000 * KIB)];
  for (let index = 0; index < requests; index++) yield [LEASE_REQUESTS, request(`request-${index}`)];
}

/** Bytes: as deploy/ ships it. */
async function shippedLimit(): Promise<number> {
  const deployment = record(parse(await readFile(join(ROOT, "deploy/deployment.yaml"), "utf8")));
  const spec = record(record(record(deployment["spec"])["template"])["spec"]);
  const limits = record(record(record(list(spec["containers"])[0])["resources"])["limits"]);
  const mebibytes = /^(\d+)Mi$/.exec(text(limits["memory"]) ?? "")?.[1];
  if (mebibytes === undefined) throw new Error("deploy/deployment.yaml has no memory limit in Mi");
  return Number(mebibytes) * MIB;
}

const cluster = await startCluster({ node: "none", env: process.env, log: streamLog(process.stderr) });
try {
  const kubectl = kubectlOf(cluster);
  const client = adminClient(cluster);
  for (const path of MANIFESTS) await kubectl("apply", "--filename", join(ROOT, "deploy", path));
  await kubectl("wait", "--for=condition=Established", "--filename", join(ROOT, "deploy/crds"));
  const programsDir = join(cluster.dir, "programs");
  await buildPrograms({ root: ROOT, outDir: programsDir });
  const kubeconfigPath = await accountKubeconfig(kubectl, cluster.dir);
  const limitBytes = await shippedLimit();
  await client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });

  /** Starts a replica, waits until it is ready, and ends it. */
  async function start(name: string) {
    const limit = await limitMemory(`konductor-bench-${process.pid}`, limitBytes);
    const [port = 0, healthPort = 0] = cluster.freePorts;
    const flags = [
      ...replicaFlags(
        { port, healthPort },
        { kubeconfigPath, image: "konductor:bench", gateUrl: "https://127.0.0.1:1" },
      ),
      `--identity=${name}`,
      "--write-ca-bundle=false",
    ];
    const program = [process.execPath, join(programsDir, "konductor.js"), "serve", ...flags];
    const beganMs = performance.now();
    const child = spawn("sh", ["-c", `${limit.enter} && exec "$@"`, "sh", ...program], {
      stdio: ["ignore", "pipe", "pipe"],
    });
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
    const seconds = (performance.now() - beganMs) / 1_000;
    // It arbitrates, too: what it makes of all of that counts as well.
    if (isReady) await Promise.race([ended, sleep(AT_WORK_MS)]);
    child.kill("SIGTERM");
    await ended;
    const figures = {
      isReady,
      seconds,
      peakMib: (await limit.peakBytes()) / MIB,
      kills: await limit.kills(),
    };
    await limit.remove();
    const { peakMib, kills } = figures;
    process.stdout.write(
      `${name}: ${isReady ? "ready" : "NOT READY"} after ${seconds.toFixed(1)} s, peak ${peakMib.toFixed(0)} MiB of ${limitBytes / MIB} MiB, ${kills} killed\n`,
    );
    return figures;
  }

  const floor = await start("beside nothing");
  const beganMs = performance.now();
  const metadata = { name: "nightly", namespace: NAMESPACE };
  await client.create(LEASES, { apiVersion: API_VERSION, kind: "Lease", metadata, spec: { ttl: "10m" } });
  await createAll(client, everything());
  process.stderr.write(`created in ${((performance.now() - beganMs) / 1_000).toFixed(0)} s\n`);
  const beside = await start(`beside ${pods} pods of 20 KB, ${bigPods} of 1 MB, ${requests} requests`);
  process.stdout.write(
    `start: ${(beside.seconds / floor.seconds).toFixed(1)} x the floor; memory: ${(beside.peakMib / floor.peakMib).toFixed(1)} x\n`,
  );
  await client.close();
  if (!floor.isReady || !beside.isReady || floor.kills + beside.kills > 0) process.exitCode = 1;
} finally {
  await cluster.stop();
}
