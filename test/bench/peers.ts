/**
 * What becomes of other clients' renewals while a peer with network reach alone does harm to a replica (`npm run bench:peers`, as root, some
 * minutes). The peer opens idle connections, sends bodies that stop short of their end or dribble in, whole reviews of the largest size, and calls
 * with forged tokens; from one address and from 64. One replica runs within the shipped memory limit, with a real API server. Holders renew through
 * the gate's own client, with its timeouts; half of them use a new connection each time. The floor is a plain read at the API server in the same
 * moments: everything shares one machine. Exits with 1 if the replica was killed, or if a keeper with a ttl of 15 s would have lost its hold.
 * usage: node test/bench/peers.ts [SECONDS]   of each kind of harm
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { systemBootClock } from "../../src/gate/boot-clock.ts";
import { createClient } from "../../src/gate/wire/client.ts";
import { createRoute } from "../../src/gate/wire/route.ts";
import { httpsTransport } from "../../src/gate/wire/transport.ts";
import { pauseWithin, untilAnswered } from "../../src/gate/wire/tries.ts";
import type { KubeClient } from "../../src/kube/api.ts";
import { NAMESPACES, NODES, PODS, SECRETS } from "../../src/kube/resources.ts";
import { systemClock } from "../../src/shared/clock.ts";
import { record, text } from "../../src/shared/json.ts";
import {
  GATE_CONTAINER,
  KEEPER_CONTAINER,
  LEASE_LABEL,
  SYSTEM_NAMESPACE,
  TLS_SECRET,
  TOKEN_AUDIENCE,
} from "../../src/shared/names.ts";
import { startCluster, streamLog } from "../cluster/cluster.ts";
import { KINDS } from "./ill-peers.ts";
import { installLimited, type LimitedReplica } from "./limited-replica.ts";

const HOLDERS = 50;
/** A keeper whose ttl is 15 s renews every 5 s, and stops main 4 s before its deadline. */
const [RENEW_EVERY_MS, LOST_AFTER_MS] = [5_000, 6_000];
const TTL = "1h";
const HOST = "konductor.konductor-system.svc";
/** The keeper's timeouts. */
const TRY = { connectMs: 3_000, silenceMs: 20_000, tryMs: 5_000 };
const NODE = "no-kubelet";
const NAMESPACE = "holders";
/** Until the leftovers of the last kind of harm are gone. */
const SETTLE_MS = 3_000;
const READ_EVERY_MS = 100;
const ILL_PEERS = join(import.meta.dirname, "ill-peers.ts");

const [seconds = 30] = process.argv.slice(2).map(Number);
const clock = systemClock();
const bootMs = systemBootClock();

interface Place {
  client: KubeClient;
  port: number;
  /** For the files of tokens. */
  dir: string;
  ca: string;
}

/** Renews once, and resolves with how long the renewal took: Infinity if a keeper would have given up. */
type Renewal = () => Promise<number>;

async function createHolder({ client, port, dir, ca }: Place, index: number): Promise<Renewal> {
  const name = `holder-${index}`;
  const container = { image: "none" };
  const pod = await client.create(
    PODS,
    {
      metadata: {
        ...{ name, namespace: NAMESPACE, labels: { [LEASE_LABEL]: name } },
        annotations: { "konductor.io/ttl": TTL },
      },
      spec: {
        ...{ nodeName: NODE, tolerations: [{ operator: "Exists" }] },
        initContainers: [
          { name: GATE_CONTAINER, ...container },
          { name: KEEPER_CONTAINER, ...container, restartPolicy: "Always" },
        ],
        containers: [{ name: "main", ...container }],
      },
    },
    record,
  );
  const tokenPath = join(dir, name);
  const answer = await client.raw("POST", `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/default/token`, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: {
      ...{ audiences: [TOKEN_AUDIENCE], expirationSeconds: 86_400 },
      boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid: record(pod["metadata"])["uid"] },
    },
  });
  await writeFile(tokenPath, text(record(record(answer)["status"])["token"]) ?? "", { mode: 0o600 });
  const route = createRoute({ url: `https://127.0.0.1:${port}`, host: HOST, ca });
  const connect = () =>
    createClient({ lease: name, transport: httpsTransport(clock), route, tokenPath, ...TRY });
  let gateApi = connect();
  const gateRun = "0a1b/1000";
  let held: { token: number; ttlMs: number } | undefined;
  for await (const line of gateApi.acquire({ gateRun }, {})) if (line.state === "granted") held = line;
  if (!held) throw new Error(`${name} was not granted its klease`);
  const { token, ttlMs } = held;
  await gateApi.renew({ token, ttlMs, gateRun }, { totalMs: TRY.tryMs });
  const isNewEachTime = index % 2 === 0;

  return async () => {
    if (isNewEachTime) gateApi = connect();
    const sent = gateApi;
    const beganMs = performance.now();
    const leftMs = () => Math.max(0, LOST_AFTER_MS - (performance.now() - beganMs));
    const given = AbortSignal.timeout(LOST_AFTER_MS);
    try {
      await untilAnswered(
        { clock, bootMs, route, random: Math.random },
        (options) => sent.renew({ token, ttlMs, keeperSince: "0a1b/2000" }, options),
        { tryMs: TRY.tryMs, pauseMs: () => pauseWithin(leftMs()), isFinal: () => false, onTrouble() {} },
        given,
      );
      return performance.now() - beganMs;
    } catch (error) {
      if (!given.aborted) throw error;
      return Number.POSITIVE_INFINITY;
    }
  };
}

interface Samples {
  renewals: number[];
  reads: number[];
  residentMib: number[];
}

/** All holders renew in their rhythm, evenly spread, for `seconds`. */
async function measure(
  client: KubeClient,
  { residentMib }: LimitedReplica,
  renewals: readonly Renewal[],
): Promise<Samples> {
  const samples: Samples = { renewals: [], reads: [], residentMib: [] };
  const endMs = performance.now() + seconds * 1_000;
  const isOver = () => performance.now() >= endMs;
  async function hold(renew: Renewal, index: number): Promise<void> {
    await sleep((index * RENEW_EVERY_MS) / renewals.length);
    while (!isOver()) {
      const tookMs = await renew();
      samples.renewals.push(tookMs);
      await sleep(Math.max(0, RENEW_EVERY_MS - tookMs));
    }
  }
  async function read(): Promise<void> {
    while (!isOver()) {
      const beganMs = performance.now();
      await client.raw("GET", `/api/v1/namespaces/${NAMESPACE}`);
      samples.reads.push(performance.now() - beganMs);
      samples.residentMib.push(await residentMib());
      await sleep(READ_EVERY_MS);
    }
  }
  await Promise.all([...renewals.map(hold), read()]);
  return samples;
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

const cluster = await startCluster({ node: "none", env: process.env, log: streamLog(process.stderr) });
try {
  const { client, limitMib, start } = await installLimited(cluster);
  const dir = join(cluster.dir, "tokens");
  await mkdir(dir, { mode: 0o700 });
  await client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
  await client.create(NODES, { metadata: { name: NODE }, spec: { unschedulable: true } });
  const replica = await start("replica");
  const secret = await client.get(SECRETS, { namespace: SYSTEM_NAMESPACE, name: TLS_SECRET }, record);
  const ca = Buffer.from(text(record(secret["data"])["ca.crt"]) ?? "", "base64").toString();
  const place = { client, port: replica.port, dir, ca };
  const renewals: Renewal[] = [];
  for (let index = 0; index < HOLDERS; index++) renewals.push(await createHolder(place, index));

  const p99 = ({ renewals: times, reads }: Samples) =>
    [percentile(times, 0.99), percentile(reads, 0.99)] as const;
  let lost = 0;
  async function play(what: string): Promise<Samples> {
    const samples = await measure(client, replica, renewals);
    const lostNow = samples.renewals.filter((tookMs) => !Number.isFinite(tookMs)).length;
    lost += lostNow;
    const [own, read] = p99(samples);
    process.stdout.write(
      `${what}: ${samples.renewals.length} renewals, ${lostNow} lost, p50 ${percentile(samples.renewals, 0.5).toFixed(0)} ms, p99 ${own.toFixed(0)} ms; a plain read p99 ${read.toFixed(0)} ms; ${Math.max(...samples.residentMib).toFixed(0)} MiB`,
    );
    return samples;
  }

  const [floor, readFloor] = p99(await play("alone"));
  process.stdout.write("\n");
  for (const kind of KINDS)
    for (const addresses of [1, 64]) {
      const args = [ILL_PEERS, kind, String(replica.port), String(addresses)];
      const ill = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
      const ended = once(ill, "exit");
      await sleep(SETTLE_MS);
      const [own, read] = p99(await play(`${kind} from ${addresses}`));
      process.stdout.write(`: ${(own / floor).toFixed(1)} x, ${(read / readFloor).toFixed(1)} x\n`);
      ill.kill("SIGKILL");
      await ended;
      await sleep(SETTLE_MS);
    }
  const { peakMib, kills } = await replica.stop();
  process.stdout.write(
    `peak ${peakMib.toFixed(0)} MiB of ${limitMib} MiB, ${kills} killed, ${lost} renewals lost\n`,
  );
  await client.close();
  if (lost + kills > 0) process.exitCode = 1;
} finally {
  await cluster.stop();
}
