import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseAllDocuments } from "yaml";
import { list, record, text } from "../../src/shared/json.ts";
import { createLogger } from "../../src/shared/log.ts";
import { SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import { buildPrograms, packageVersion } from "../../tools/build.ts";
import { type ClusterOptions, startCluster, streamLog } from "../cluster/cluster.ts";
import { startProcessNode } from "../cluster/process-node/process-node.ts";
import { type Kubectl, kubectlOf } from "../integration/kubectl.ts";
import { noteRights } from "../rights.ts";
import { adminClient } from "./admin-client.ts";
import { startBalancer } from "./balancer.ts";
import { readElected } from "./election.ts";
import type { Environment } from "./environment.ts";
import { figureLog } from "./figures.ts";
import { openJournal } from "./journal.ts";
import { createNamespace } from "./namespace.ts";
import { createReplica, type Replica, replicaFlags } from "./replica.ts";

const SERVICE_FOLLOWS_MS = 500;

const identityOf = (index: number) => `replica-${index + 1}`;
const root = join(import.meta.dirname, "../..");

export interface ProcessEnvironmentOptions {
  /** The variable KONDUCTOR_FIGURES names a file for what scenarios measure. */
  env: Readonly<Record<string, string | undefined>>;
  /** For progress messages. */
  stream: { isTTY?: boolean; write(text: string): unknown };
  /** The number of replicas. */
  replicas?: number;
  /** The error of each replica's wall clock. */
  clockOffsetsMs?: readonly [first: number, second: number];
  /** The folder in which replicas record their writes, and in which they read at which write they are killed: see failpoint.ts. */
  failpointDir?: string;
  /** The folder of konductor's built programs; by default they are built for this environment. */
  programsDir?: string;
  /** Further flags of konductor. */
  konductorFlags?: readonly string[];
  /** Further flags of the control plane. */
  flags?: ClusterOptions["flags"];
}

export interface ProcessEnvironment extends Environment {
  /** `host:port` of each replica's metrics, by its identity. */
  metricsTargets(): Record<string, string>;
  /** Replaces the replicas one after the other, as the Deployment does: the new replica is ready before the old one gets SIGTERM. */
  roll(): Promise<void>;
}

/**
 * A node without root. konductor's replicas are local processes, too, with the rights of konductor's own account and no others; a balancer on
 * loopback replaces their Service.
 */
export async function startProcessEnvironment({
  env,
  stream,
  replicas: count = 2,
  clockOffsetsMs = [0, 0],
  failpointDir,
  programsDir,
  konductorFlags = [],
  flags = {},
}: ProcessEnvironmentOptions): Promise<ProcessEnvironment> {
  const cluster = await startCluster({
    node: "none",
    name: "process cluster",
    env,
    log: streamLog(stream),
    flags,
  });
  // Another process may be building into `dist/`.
  const bundleDir = programsDir ?? join(cluster.dir, "dist");
  const client = adminClient(cluster);
  const kubectl = kubectlOf(cluster);
  const journalDir = join(cluster.dir, "journal");
  const logger = createLogger({ level: "warn" });
  // One place more than there are replicas: it is free for the new replica of a rollout.
  const places = Array.from({ length: count + 1 }, (_, index) => ({
    ...{ index, port: cluster.freePorts[2 * index] ?? 0, healthPort: cluster.freePorts[2 * index + 1] ?? 0 },
  }));
  const balancer = await startBalancer(places.map(({ port }) => port));
  const url = `https://127.0.0.1:${balancer.port}`;
  const replicas: Replica[] = [];
  let spare: Replica | undefined;
  let namespaces = 0;
  const node = await startProcessNode({
    kubeconfigPath: cluster.kubeconfigPath,
    dir: join(cluster.dir, "process-node"),
    bundleDir,
    nodePath: process.execPath,
    logger,
  });

  async function stop(): Promise<void> {
    await Promise.all([...replicas, ...(spare ? [spare] : [])].map((replica) => replica.kill()));
    await node.stop();
    await balancer.close();
    await client.close();
    await noteRights(cluster, env).finally(() => cluster.stop());
  }
  async function elected(): Promise<Replica> {
    const holder = await readElected({ client });
    const arbiter = replicas.find(({ identity }) => identity === holder);
    if (!arbiter) throw new Error(`nobody of us is elected, but ${holder}`);
    return arbiter;
  }

  const portOf = ({ identity }: Replica) =>
    places.find(({ index }) => identity === identityOf(index))?.port ?? 0;
  const healthPortOf = ({ identity }: Replica) =>
    places.find(({ index }) => identity === identityOf(index))?.healthPort ?? 0;
  const start = async () => void (await Promise.all(replicas.map((replica) => replica.start())));

  try {
    if (!programsDir) await buildPrograms({ root, outDir: bundleDir });
    await mkdir(journalDir, { recursive: true });
    await install(kubectl, url);
    const kubeconfigPath = await accountKubeconfig(kubectl, cluster.dir);
    const image = `konductor:${await packageVersion(root)}`;
    for (const { index, port, healthPort } of places)
      replicas.push(
        createReplica({
          identity: identityOf(index),
          programPath: join(bundleDir, "konductor.js"),
          healthPort,
          clockOffsetMs: clockOffsetsMs[index] ?? 0,
          failpointDir,
          logPath: join(cluster.dir, "log", `replica-${index + 1}.log`),
          flags: [
            ...replicaFlags({ port, healthPort }, { kubeconfigPath, image, gateUrl: url }),
            "--tls-address=127.0.0.1",
            ...konductorFlags,
          ],
        }),
      );
    spare = replicas.pop();
    await start();
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    node: "process",
    cluster,
    client,
    kubectl,
    konductor: {
      async killArbiter() {
        const arbiter = await elected();
        await arbiter.kill();
        // Restarted, as a kubelet would do.
        void arbiter.start();
      },
      async pauseArbiter() {
        const arbiter = await elected();
        arbiter.signal("SIGSTOP");
        return async () => arbiter.signal("SIGCONT");
      },
      stop: async () => void (await Promise.all(replicas.map((replica) => replica.kill()))),
      start,
      url: async () => url,
      logs: async () => (await Promise.all(replicas.map((replica) => replica.log()))).join("\n"),
    },
    killContainer: async (pod, container, signal) => node.killContainer(pod, container, signal),
    async createNamespace() {
      const name = `scenario-${++namespaces}`;
      await createNamespace(client, name);
      return name;
    },
    journal: (lease) => openJournal(journalDir, lease),
    report: figureLog({ node: "process", stream, path: env["KONDUCTOR_FIGURES"] }),
    metricsTargets: () =>
      Object.fromEntries(replicas.map((replica) => [replica.identity, `127.0.0.1:${healthPortOf(replica)}`])),
    async roll() {
      for (let left = count; left > 0; left--) {
        const [old] = replicas;
        if (!old || !spare) throw new Error("there is no replica to be replaced");
        balancer.takeIn(portOf(spare));
        await spare.start();
        replicas.push(spare);
        const stopped = old.stop();
        // The Service's endpoints change about when the pod gets its SIGTERM.
        await sleep(SERVICE_FOLLOWS_MS);
        balancer.leaveOut(portOf(old));
        await stopped;
        replicas.shift();
        spare = old;
      }
    },
    stop,
  };
}

/** Applies `deploy/` without the parts that need a pod network: the replicas are local processes, and the webhook is called by URL. */
async function install(kubectl: Kubectl, url: string): Promise<void> {
  const rendered = await kubectl("kustomize", join(root, "deploy"));
  const items = parseAllDocuments(rendered)
    .map((document) => record(document.toJS()))
    .filter(({ kind }) => kind !== "Deployment" && kind !== "NetworkPolicy" && kind !== "PodDisruptionBudget")
    .map((object) => (object["kind"] === "MutatingWebhookConfiguration" ? calledByUrl(object, url) : object));
  // The custom resource definitions come first: kubectl keeps the order.
  await kubectl.withObject({ apiVersion: "v1", kind: "List", items }, "apply");
}

function calledByUrl(configuration: Record<string, unknown>, url: string) {
  const webhooks = list(configuration["webhooks"]).map((entry) => {
    const webhook = record(entry);
    const service = record(record(webhook["clientConfig"])["service"]);
    return { ...webhook, clientConfig: { url: `${url}${text(service["path"])}` } };
  });
  return { ...configuration, webhooks };
}

/** A kubeconfig with the token of konductor's own account, which has only the rights that `deploy/` gives it. */
export async function accountKubeconfig(kubectl: Kubectl, dir: string): Promise<string> {
  const config = record(JSON.parse(await kubectl("config", "view", "--raw", "--flatten", "-o", "json")));
  const account = ["-n", SYSTEM_NAMESPACE, "create", "token", "konductor", "--duration=24h"];
  const token = (await kubectl(...account)).trim();
  const users = list(config["users"]).map((user) => ({ name: record(user)["name"], user: { token } }));
  const path = join(dir, "konductor.kubeconfig");
  await writeFile(path, JSON.stringify({ ...config, users }), { mode: 0o600 });
  return path;
}
