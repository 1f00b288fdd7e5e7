import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PODS } from "../../src/kube/resources.ts";
import { list, record, text } from "../../src/shared/json.ts";
import { LEASE_LABEL, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import { type ClusterOptions, startCluster, streamLog } from "../cluster/cluster.ts";
import { run } from "../cluster/command.ts";
import { waitFor } from "../cluster/wait.ts";
import { kubectlOf } from "../integration/kubectl.ts";
import { noteRights } from "../rights.ts";
import { adminClient } from "./admin-client.ts";
import { readElected } from "./election.ts";
import type { Environment, PodName } from "./environment.ts";
import { figureLog } from "./figures.ts";
import { openJournal } from "./journal.ts";
import { writeKoncliImage } from "./koncli-image.ts";
import { createNamespace } from "./namespace.ts";
import { BUSYBOX_IMAGE } from "./workload.ts";

const root = join(import.meta.dirname, "../..");
const REPLICAS = 2;
/** The port of the Deployment's containers. */
const SECURE_PORT = 8443;
const STATUS_WITHIN_MS = 10_000;

export interface KubeletEnvironmentOptions {
  /** The variable KONDUCTOR_FIGURES names a file for what scenarios measure. */
  env: Readonly<Record<string, string | undefined>>;
  /** For progress messages. */
  stream: { isTTY?: boolean; write(text: string): unknown };
  /** Further flags of the control plane. */
  flags?: ClusterOptions["flags"];
  /** By default {@link buildInstall}'s. The cluster starts meanwhile. */
  install?: Install | Promise<Install>;
}

/** How konductor comes into a cluster. */
export interface Install {
  /** The archive of the image that konductor runs. */
  readonly imagePath: string;
  /** The arguments of `kubectl apply`. */
  readonly apply: readonly string[];
}

/** Builds konductor's image; `deploy/` installs it. */
export async function buildInstall(stream: KubeletEnvironmentOptions["stream"]): Promise<Install> {
  return { imagePath: await buildImage(stream), apply: ["-k", join(root, "deploy")] };
}

/** Builds konductor's image and resolves with the path of its archive. */
async function buildImage(stream: KubeletEnvironmentOptions["stream"]): Promise<string> {
  streamLog(stream).line("building the image");
  await run(process.execPath, [join(root, "tools/image/main.ts")]);
  return join(root, "dist/image.tar");
}

/** A real node, with konductor installed as users do it: the image is imported, then `kubectl apply`. */
export async function startKubeletEnvironment({
  env,
  stream,
  flags = {},
  install = buildInstall(stream),
}: KubeletEnvironmentOptions): Promise<Environment> {
  const log = streamLog(stream);
  const building = Promise.resolve(install);
  // The failure is thrown once there is a cluster, which then is stopped.
  building.catch(() => undefined);
  const cluster = await startCluster({ node: "kubelet", name: "kubelet cluster", env, log, flags });
  const { node } = cluster;
  if (!node) throw new Error("the cluster came without a node");
  const client = adminClient(cluster);
  const kubectl = kubectlOf(cluster);
  const journalDir = join(cluster.dir, "journal");
  let namespaces = 0;

  /** A container's status appears a moment after its first sign of life. */
  async function containerId({ namespace, name }: PodName, container: string): Promise<string> {
    let found: string | undefined;
    await waitFor({
      what: `container ${container} of pod ${namespace}/${name} to have a status`,
      withinMs: STATUS_WITHIN_MS,
      async holds() {
        const status = record(record(await client.get(PODS, { namespace, name }))["status"]);
        const all = [...list(status["initContainerStatuses"]), ...list(status["containerStatuses"])];
        found = text(all.map(record).find((each) => each["name"] === container)?.["containerID"]);
        return found !== undefined;
      },
    });
    return (found ?? "").replace("containerd://", "");
  }

  async function killContainer(pod: PodName, container: string, signal: NodeJS.Signals): Promise<void> {
    await node?.signalContainer(await containerId(pod, container), signal);
  }

  async function arbiter(): Promise<PodName> {
    return { namespace: SYSTEM_NAMESPACE, name: await readElected({ client }) };
  }

  async function scale(replicas: number): Promise<void> {
    await kubectl("-n", SYSTEM_NAMESPACE, "scale", "deployment/konductor", `--replicas=${replicas}`);
  }

  async function ready(): Promise<void> {
    await kubectl("-n", SYSTEM_NAMESPACE, "rollout", "status", "deployment/konductor", "--timeout=120s");
    const probe = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "probe", labels: { [LEASE_LABEL]: "probe" } },
    };
    const containers = [{ name: "main", image: BUSYBOX_IMAGE }];
    await waitFor({
      what: "kube-proxy to send the API server's webhook calls to the new replicas",
      withinMs: 30_000,
      async holds() {
        await kubectl.withObject({ ...probe, spec: { containers } }, "create", "--dry-run=server");
        return true;
      },
    });
  }

  try {
    await mkdir(journalDir, { recursive: true, mode: 0o777 });
    const { imagePath, apply } = await building;
    await node.importImage(imagePath);
    await node.importImage(await writeKoncliImage(cluster.dir, env));
    await kubectl("apply", ...apply);
    await ready();
  } catch (error) {
    const pods = await kubectl("-n", SYSTEM_NAMESPACE, "describe", "pods").catch(() => "");
    const logs = await kubectl("-n", SYSTEM_NAMESPACE, "logs", "deployment/konductor").catch(() => "");
    stream.write(`${pods}\n${logs}\n`);
    await cluster.stop();
    throw error;
  }

  return {
    node: "kubelet",
    cluster,
    client,
    kubectl,
    killContainer,
    konductor: {
      killArbiter: async () => killContainer(await arbiter(), "konductor", "SIGKILL"),
      async pauseArbiter() {
        const id = await containerId(await arbiter(), "konductor");
        await node.signalContainer(id, "SIGSTOP");
        return () => node.signalContainer(id, "SIGCONT");
      },
      async stop() {
        await scale(0);
        const wanted = ["get", "replicasets", "--output=jsonpath={.items[*].spec.replicas}"];
        await waitFor({
          what: "konductor's ReplicaSet to want no pods, as it would make others for those that are deleted",
          withinMs: 30_000,
          holds: async () => /^[0 ]*$/.test(await kubectl("-n", SYSTEM_NAMESPACE, ...wanted)),
        });
        await kubectl("-n", SYSTEM_NAMESPACE, "delete", "pods", "--all", "--force", "--grace-period=0");
        await waitFor({
          what: "konductor's pods to be gone",
          withinMs: 30_000,
          holds: async () => (await client.list(PODS, { namespace: SYSTEM_NAMESPACE })).items.length === 0,
        });
      },
      async start() {
        await scale(REPLICAS);
        await ready();
      },
      async url() {
        const replicas = (await client.list(PODS, { namespace: SYSTEM_NAMESPACE })).items.map(record);
        const running = replicas.map(({ status }) => record(status)).find(({ phase }) => phase === "Running");
        const ip = text(running?.["podIP"]);
        if (!ip) throw new Error("no replica runs");
        return `https://${ip}:${SECURE_PORT}`;
      },
      logs: () =>
        kubectl(
          "-n",
          SYSTEM_NAMESPACE,
          "logs",
          "-l",
          "app.kubernetes.io/name=konductor",
          "--tail=-1",
          "--prefix",
        ),
    },
    async createNamespace() {
      const name = `scenario-${++namespaces}`;
      await createNamespace(client, name);
      return name;
    },
    journal: (lease) => openJournal(journalDir, lease),
    report: figureLog({ node: "kubelet", stream, path: env["KONDUCTOR_FIGURES"] }),
    async stop() {
      await client.close();
      await noteRights(cluster, env).finally(() => cluster.stop());
    },
  };
}
