/**
 * How much a tenant's grants are delayed by another tenant's requests (`npm run bench:neighbours`, some minutes). Measured is the time of an
 * uncontended acquire: alone, and while 1,000 requests of another namespace come, are granted and go, for one klease and for as many kleases. Two
 * replicas and a real API server. Exits with 1 if the p99 more than doubles, unless the API server, which shares the machine with this program, has
 * slowed down by as much. Plain writes of a ConfigMap beside the acquires show how slow the API server is.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createLeaseClient } from "../../src/client/lease-client.ts";
import type { KubeClient } from "../../src/kube/api.ts";
import { LEASE_REQUESTS, LEASES } from "../../src/kube/resources.ts";
import { API_VERSION } from "../../src/shared/names.ts";
import { startProcessEnvironment } from "../e2e/process-environment.ts";

const SAMPLES = 200;
const REQUESTS = 1_000;
const AT_ONCE = 8;
/** Between two acquires, so that their number does not depend on how long they take. */
const PAUSE_MS = 50;
const MOST = 2;
const CONFIG_MAP = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "written" } };

interface Tenant {
  client: KubeClient;
  namespace: string;
}

const objectOf = (kind: string, namespace: string, name: string, spec: object) => ({
  apiVersion: API_VERSION,
  kind,
  metadata: { name, namespace },
  spec,
});

function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

interface Samples {
  /** How long each acquire took. */
  acquires: number[];
  /** How long the API server took for each write that has nothing to do with konductor. */
  writes: number[];
}

/** Acquires and releases a free klease, again and again. */
async function measure({ client, namespace }: Tenant, isOver: () => boolean): Promise<Samples> {
  const leases = createLeaseClient({ client, namespace });
  const samples: number[] = [];
  const writes: number[] = [];
  while (!isOver() || samples.length < SAMPLES) {
    const writtenMs = performance.now();
    await client.raw("POST", `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`, CONFIG_MAP);
    const beganMs = performance.now();
    writes.push(beganMs - writtenMs);
    const wish = {
      lease: "mine",
      holder: `ci-${samples.length}`,
      join: false,
      timeoutMs: 60_000,
      ttlMs: 60_000,
      create: true,
    };
    await leases.acquire(wish);
    samples.push(performance.now() - beganMs);
    await leases.release({ lease: wish.lease, holder: wish.holder });
    await sleep(PAUSE_MS);
  }
  const sorted = (list: number[]) => list.sort((a, b) => a - b);
  return { acquires: sorted(samples), writes: sorted(writes) };
}

async function each(count: number, act: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Creates 1,000 requests, and deletes them in the order in which they were made: each may have been granted just before its deletion. */
async function crowd({ client, namespace }: Tenant, leaseOf: (index: number) => string): Promise<void> {
  const names = new Set(Array.from({ length: REQUESTS }, (_, index) => leaseOf(index)));
  await each(names.size, (index) =>
    client.create(LEASES, objectOf("Lease", namespace, [...names][index] ?? "", { ttl: "1h" })),
  );
  await each(REQUESTS, (index) => {
    const spec = { lease: leaseOf(index), holder: `crowd-${index}` };
    return client.create(LEASE_REQUESTS, objectOf("LeaseRequest", namespace, `crowd-${index}`, spec));
  });
  await each(REQUESTS, (index) => client.delete(LEASE_REQUESTS, { namespace, name: `crowd-${index}` }));
  await Promise.all([...names].map((name) => client.delete(LEASES, { namespace, name })));
}

const environment = await startProcessEnvironment({ env: process.env, stream: process.stderr });
try {
  const { client } = environment;
  const [mine, others] = [await environment.createNamespace(), await environment.createNamespace()];
  const tenant = { client, namespace: mine };
  const say = (what: string, { acquires: sorted, writes }: Samples) =>
    process.stdout.write(
      `${what}: ${sorted.length} acquires, p50 ${percentile(sorted, 0.5).toFixed(0)} ms, p99 ${percentile(sorted, 0.99).toFixed(0)} ms; a plain write p50 ${percentile(writes, 0.5).toFixed(0)} ms, p99 ${percentile(writes, 0.99).toFixed(0)} ms\n`,
    );
  await measure(tenant, () => true);
  const alone = await measure(tenant, () => true);
  say("alone", alone);
  for (const [what, leaseOf] of [
    [`beside ${REQUESTS} requests for one klease`, () => "theirs"],
    [`beside ${REQUESTS} requests for as many kleases`, (index: number) => `theirs-${index}`],
  ] as const) {
    let isOver = false;
    const crowded = crowd({ client, namespace: others }, leaseOf).finally(() => {
      isOver = true;
    });
    const [beside] = await Promise.all([measure(tenant, () => isOver), crowded]);
    say(what, beside);
    const ratioOf = (kind: keyof Samples) => percentile(beside[kind], 0.99) / percentile(alone[kind], 0.99);
    const [acquires, writes] = [ratioOf("acquires"), ratioOf("writes")];
    process.stdout.write(
      `${what}: p99 ${acquires.toFixed(2)} x that of alone, of plain writes ${writes.toFixed(2)} x; at most ${MOST} x, or as the API server itself\n`,
    );
    if (acquires > Math.max(MOST, writes)) process.exitCode = 1;
  }
} finally {
  await environment.stop();
}
