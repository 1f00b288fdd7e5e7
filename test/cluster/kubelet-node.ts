import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import type { NodeBinary } from "./binaries/catalog.ts";
import type { Binaries } from "./binaries/find.ts";
import { run } from "./command.ts";
import { favourContainers } from "./container-share.ts";
import type { StartedControlPlane } from "./control-plane.ts";
import { writeTestImages } from "./image/test-images.ts";
import type { KubeletNode, NodeProcessName } from "./kubelet-node-api.ts";
import { KUBELET_API_SERVER_ADDRESS } from "./network/addresses.ts";
import { listConnections, parseConnections } from "./network/connections.ts";
import type { NodeNetwork } from "./network/namespace.ts";
import { createPartitions } from "./network/partition.ts";
import { cniConfig, containerdConfig, kubeletConfig, nodePaths } from "./node-config.ts";
import { managedProcess } from "./process.ts";
import { waitFor } from "./wait.ts";

const NODE_NAME = "node-1";
const KUBELET_HEALTHZ_PORT = 10248;
const KUBE_PROXY_HEALTHZ_PORT = 10256;

export interface KubeletNodeOptions {
  readonly binaries: Binaries<NodeBinary>;
  readonly controlPlane: StartedControlPlane;
  /** The namespace in which the control plane runs, too. */
  readonly network: NodeNetwork;
  readonly cacheDir: string;
  readonly path: string;
}

/** Starts containerd, kubelet and kube-proxy beside a control plane, imports the test images, and returns when the node is Ready. */
export async function startKubeletNode(options: KubeletNodeOptions): Promise<KubeletNode> {
  const { binaries, controlPlane, network, path } = options;
  const address = network.addresses.node;
  const paths = nodePaths(controlPlane.dir);
  const partitions = createPartitions(network);
  const files = await writeConfiguration(options);
  const define = (name: NodeProcessName, args: string[], ready: () => Promise<boolean>) =>
    managedProcess({
      name,
      command: [...network.enter, binaries[name], ...args],
      cwd: controlPlane.dir,
      env: { PATH: path },
      logPath: join(controlPlane.dir, "log", `${name}.log`),
      ready,
    });
  const healthy = (port: number) => async () => (await fetch(`http://${address}:${port}/healthz`)).ok;
  const ctr = (...args: string[]) =>
    run(binaries.ctr, ["--address", paths.socket, "--namespace", "k8s.io", ...args]);
  const processes = {
    containerd: define(
      "containerd",
      [`--config=${files.containerd}`],
      async () => (await ctr("version")) !== "",
    ),
    kubelet: define(
      "kubelet",
      [
        `--config=${files.kubelet}`,
        `--kubeconfig=${files.kubeletKubeconfig}`,
        `--root-dir=${join(paths.dir, "kubelet")}`,
        `--cert-dir=${join(paths.dir, "kubelet-pki")}`,
        `--hostname-override=${NODE_NAME}`,
        `--node-ip=${address}`,
      ],
      healthy(KUBELET_HEALTHZ_PORT),
    ),
    "kube-proxy": define(
      "kube-proxy",
      [
        `--kubeconfig=${files.proxyKubeconfig}`,
        "--proxy-mode=nftables",
        `--hostname-override=${NODE_NAME}`,
        `--healthz-bind-address=${address}:${KUBE_PROXY_HEALTHZ_PORT}`,
        "--metrics-bind-address=127.0.0.1:10249",
        // 0 keeps the kernel's settings, which belong to the whole machine.
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0s",
        "--conntrack-tcp-timeout-close-wait=0s",
      ],
      healthy(KUBE_PROXY_HEALTHZ_PORT),
    ),
  };

  const exec = (command: string, ...args: string[]) => {
    const [program = "", ...enter] = network.enter;
    return run(program, [...enter, command, ...args]);
  };
  const apiServerPort = Number(new URL(controlPlane.apiServerUrl).port);

  await favourContainers();
  const [images] = await Promise.all([
    writeTestImages(join(paths.dir, "images"), options.cacheDir),
    processes.containerd.start(),
  ]);
  const importImage = async (archivePath: string) => {
    await ctr("images", "import", archivePath);
  };
  for (const image of images) await importImage(image);
  await Promise.all([processes.kubelet.start(), processes["kube-proxy"].start()]);
  await waitFor({
    what: `node ${NODE_NAME} to become Ready (log: ${join(controlPlane.dir, "log", "kubelet.log")})`,
    withinMs: 60_000,
    holds: async () => isReady(JSON.parse(await controlPlane.api.get(`/api/v1/nodes/${NODE_NAME}`))),
  });

  return {
    name: NODE_NAME,
    address,
    importImage,
    exec,
    async signalContainer(id, signal) {
      await ctr("tasks", "kill", `--signal=${signal}`, id);
    },
    async killSandbox(podUid) {
      const labels = `labels."io.kubernetes.pod.uid"==${podUid},labels."io.cri-containerd.kind"==sandbox`;
      const id = (await ctr("containers", "list", "--quiet", labels)).trim();
      await ctr("tasks", "kill", "--signal=SIGKILL", id);
    },
    kill: (name) => processes[name].kill(),
    start: (name) => processes[name].start(),
    pause: (name) => processes[name].pause(),
    resume: (name) => processes[name].resume(),
    stopKubelet: () => processes.kubelet.kill(),
    startKubelet: () => processes.kubelet.start(),
    partition: partitions.cut,
    apiConnections: async (podIp) =>
      parseConnections(await exec("ss", ...listConnections(podIp, apiServerPort))),
  };
}

async function writeConfiguration({ binaries, controlPlane, network }: KubeletNodeOptions) {
  const paths = nodePaths(controlPlane.dir);
  await mkdir(paths.cniConfDir, { recursive: true });
  const write = async (name: string, content: string) => {
    const path = join(paths.dir, name);
    await writeFile(path, content);
    return path;
  };
  const { pki } = controlPlane;
  await write("cni/10-ptp.conflist", JSON.stringify(cniConfig(network.addresses.podSubnet, paths.dir)));
  const kubelet = kubeletConfig({
    paths,
    address: network.addresses.node,
    healthzPort: KUBELET_HEALTHZ_PORT,
    clientCaFile: join(pki.dir, "ca.crt"),
  });
  const kubeletUrl = new URL(controlPlane.apiServerUrl);
  kubeletUrl.hostname = KUBELET_API_SERVER_ADDRESS;
  return {
    containerd: await write("containerd.toml", containerdConfig(binaries, paths)),
    kubelet: await write("kubelet.yaml", stringify(kubelet)),
    kubeletKubeconfig: await pki.kubeconfig(
      "kubelet",
      { commonName: `system:node:${NODE_NAME}`, organization: "system:nodes" },
      kubeletUrl.origin,
    ),
    proxyKubeconfig: await pki.kubeconfig("kube-proxy", { commonName: "system:kube-proxy" }),
  };
}

interface NodeStatus {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

function isReady(node: NodeStatus): boolean {
  return node.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}
