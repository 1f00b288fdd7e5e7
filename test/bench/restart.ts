/**
 * Whether a replica starts within the shipped memory limit in a cluster that holds as much as it may at worst (`npm run bench:restart`, as root, some
 * minutes): labelled pods of 20 KB and of 1 MB, and LeaseRequests of the largest size that the policy konductor-sizes lets pass, on a real API
 * server. The floor is the same replica in an empty cluster. Exits with 1 if the replica was killed, or did not become ready.
 * usage: node test/bench/restart.ts [PODS BIG_PODS REQUESTS]
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { KubeClient } from "../../src/kube/api.ts";
import { LEASE_REQUESTS, LEASES, NAMESPACES, PODS, type Resource } from "../../src/kube/resources.ts";
import { API_VERSION, LEASE_LABEL } from "../../src/shared/names.ts";
import { startCluster, streamLog } from "../cluster/cluster.ts";
import { installLimited } from "./limited-replica.ts";

const NAMESPACE = "tenant";
const AT_ONCE = 16;
const AT_WORK_MS = 30_000;
const KIB = 1_024;

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

/** A LeaseRequest as large as konductor-sizes and the API server let pass. */
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

const cluster = await startCluster({ node: "none", env: process.env, log: streamLog(process.stderr) });
try {
  const { client, limitMib, start } = await installLimited(cluster);
  await client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });

  /** Starts a replica, lets it work for a while, and stops it. */
  async function measure(name: string) {
    const replica = await start(name);
    const { isReady, startSeconds: seconds } = replica;
    // The replica is the arbiter, too: the memory of its decisions about all of this counts as well.
    if (isReady) await sleep(AT_WORK_MS);
    const { peakMib, kills } = await replica.stop();
    process.stdout.write(
      `${name}: ${isReady ? "ready" : "NOT READY"} after ${seconds.toFixed(1)} s, peak ${peakMib.toFixed(0)} MiB of ${limitMib} MiB, ${kills} killed\n`,
    );
    return { isReady, seconds, peakMib, kills };
  }

  const floor = await measure("beside nothing");
  const beganMs = performance.now();
  const metadata = { name: "nightly", namespace: NAMESPACE };
  await client.create(LEASES, { apiVersion: API_VERSION, kind: "Lease", metadata, spec: { ttl: "10m" } });
  await createAll(client, everything());
  process.stderr.write(`created in ${((performance.now() - beganMs) / 1_000).toFixed(0)} s\n`);
  const beside = await measure(`beside ${pods} pods of 20 KB, ${bigPods} of 1 MB, ${requests} requests`);
  process.stdout.write(
    `start: ${(beside.seconds / floor.seconds).toFixed(1)} x the floor; memory: ${(beside.peakMib / floor.peakMib).toFixed(1)} x\n`,
  );
  await client.close();
  if (!floor.isReady || !beside.isReady || floor.kills + beside.kills > 0) process.exitCode = 1;
} finally {
  await cluster.stop();
}
