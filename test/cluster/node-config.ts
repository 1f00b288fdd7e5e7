/** The configuration files of a node's processes. */
import { dirname, join } from "node:path";
import type { NodeBinary } from "./binaries/catalog.ts";
import type { Binaries } from "./binaries/find.ts";
import { PAUSE_IMAGE } from "./image/test-images.ts";

export interface NodePaths {
  readonly dir: string;
  readonly socket: string;
  readonly cniConfDir: string;
}

export function nodePaths(clusterDir: string): NodePaths {
  const dir = join(clusterDir, "node");
  return { dir, socket: join(dir, "containerd.sock"), cniConfDir: join(dir, "cni") };
}

/** A point-to-point link for each pod: traffic between pods is routed, so that ClusterIPs and partitions work. */
export function cniConfig(podSubnet: string, stateDir: string): object {
  return {
    cniVersion: "1.0.0",
    name: "konductor",
    plugins: [
      {
        type: "ptp",
        ipMasq: false,
        ipam: {
          type: "host-local",
          dataDir: join(stateDir, "ipam"),
          ranges: [[{ subnet: podSubnet }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
    ],
  };
}

export function containerdConfig(binaries: Binaries<NodeBinary>, paths: NodePaths): string {
  const path = (...parts: string[]) => JSON.stringify(join(paths.dir, "containerd", ...parts));
  const cniDirs = [
    ...new Set([binaries["cni/ptp"], binaries["cni/loopback"], binaries["cni/host-local"]].map(dirname)),
  ];
  return `
version = 3
root = ${path("root")}
state = ${path("state")}
[grpc]
  address = ${JSON.stringify(paths.socket)}
[plugins.'io.containerd.internal.v1.opt']
  path = ${path("opt")}
[plugins.'io.containerd.nri.v1.nri']
  disable = true # its socket stands at one fixed place
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ${JSON.stringify(cniDirs)}
    conf_dir = ${JSON.stringify(paths.cniConfDir)}
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    runtime_path = ${JSON.stringify(binaries["containerd-shim-runc-v2"])}
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = ${JSON.stringify(binaries.runc)}
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = ${JSON.stringify(PAUSE_IMAGE)}
`;
}

export interface KubeletInputs {
  readonly paths: NodePaths;
  readonly address: string;
  readonly healthzPort: number;
  readonly clientCaFile: string;
}

export function kubeletConfig({ paths, address, healthzPort, clientCaFile }: KubeletInputs): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    containerRuntimeEndpoint: `unix://${paths.socket}`,
    address,
    healthzBindAddress: address,
    healthzPort,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: clientCaFile },
    },
    authorization: { mode: "Webhook" },
    clusterDomain: "cluster.local",
    podLogsDir: join(paths.dir, "pod-logs"),
    volumePluginDir: join(paths.dir, "volume-plugins"),
    failSwapOn: false,
    failCgroupV1: false,
    cgroupDriver: "cgroupfs",
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    localStorageCapacityIsolation: false,
    nodeStatusUpdateFrequency: "2s",
    maxPods: 200,
    // A full disk must not evict a test's pods or remove the images that were imported for them.
    evictionHard: { "memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%" },
    imageGCHighThresholdPercent: 100,
  };
}
