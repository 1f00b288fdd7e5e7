import { KUBERNETES_VERSION } from "../versions.ts";

/** How a binary is built. The modules' go.mod and go.sum are in `../go/`. */
export interface GoSource {
  readonly module: "kubernetes" | "etcd" | "node" | "helm" | "prometheus" | "cert-manager";
  readonly package: string;
  readonly ldflags: string;
  readonly tags?: string;
  /** Needs a C compiler. */
  readonly cgo?: boolean;
}

const STRIP = "-s -w";
const [major, minor] = KUBERNETES_VERSION.slice(1).split(".");
/** What the Kubernetes project's own build stamps in. Without it, `kubectl version` says v0.0.0 and the API server misjudges version skew. */
const VERSION_STAMP = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"]
  .flatMap((path) => [
    `-X ${path}.gitVersion=${KUBERNETES_VERSION}`,
    `-X ${path}.gitMajor=${major}`,
    `-X ${path}.gitMinor=${minor}`,
    `-X ${path}.gitTreeState=clean`,
  ])
  .join(" ");

const kubernetes = (name: string): GoSource => ({
  module: "kubernetes",
  package: `k8s.io/kubernetes/cmd/${name}`,
  ldflags: `${STRIP} ${VERSION_STAMP}`,
});
const containerd = (name: string): GoSource => ({
  module: "node",
  package: `github.com/containerd/containerd/v2/cmd/${name}`,
  ldflags: STRIP,
  tags: "no_btrfs no_devmapper no_zfs",
});
const cni = (path: string): GoSource => ({
  module: "node",
  package: `github.com/containernetworking/plugins/plugins/${path}`,
  ldflags: STRIP,
});

const CONTROL_PLANE = {
  "kube-apiserver": kubernetes("kube-apiserver"),
  "kube-controller-manager": kubernetes("kube-controller-manager"),
  "kube-scheduler": kubernetes("kube-scheduler"),
  kubectl: kubernetes("kubectl"),
  etcd: { module: "etcd", package: "go.etcd.io/etcd/server/v3", ldflags: STRIP },
} as const satisfies Record<string, GoSource>;

const NODE = {
  kubelet: kubernetes("kubelet"),
  "kube-proxy": kubernetes("kube-proxy"),
  containerd: containerd("containerd"),
  "containerd-shim-runc-v2": containerd("containerd-shim-runc-v2"),
  ctr: containerd("ctr"),
  // Without the seccomp tag no sandbox starts.
  runc: {
    module: "node",
    package: "github.com/opencontainers/runc",
    ldflags: STRIP,
    tags: "seccomp",
    cgo: true,
  },
  "cni/ptp": cni("main/ptp"),
  "cni/loopback": cni("main/loopback"),
  "cni/host-local": cni("ipam/host-local"),
} as const satisfies Record<string, GoSource>;

/** What tests of the install need besides a cluster. */
const INSTALLERS = {
  helm: { module: "helm", package: "helm.sh/helm/v4/cmd/helm", ldflags: STRIP },
  "cert-manager": { module: "cert-manager", package: "konductor.test/cert-manager", ldflags: STRIP },
} as const satisfies Record<string, GoSource>;

const prometheus = (name: string): GoSource => ({
  module: "prometheus",
  package: `github.com/prometheus/prometheus/cmd/${name}`,
  ldflags: STRIP,
  // Without the clients of every cloud: tests name what is scraped.
  tags: "remove_all_sd",
});

/** What scrapes konductor, and checks rules. */
const MONITORING = {
  prometheus: prometheus("prometheus"),
  promtool: prometheus("promtool"),
} as const satisfies Record<string, GoSource>;

export type ControlPlaneBinary = keyof typeof CONTROL_PLANE;
export type NodeBinary = keyof typeof NODE;
export type BinaryName = ControlPlaneBinary | NodeBinary | keyof typeof INSTALLERS | keyof typeof MONITORING;

export const GO_SOURCES: Readonly<Record<BinaryName, GoSource>> = {
  ...CONTROL_PLANE,
  ...NODE,
  ...INSTALLERS,
  ...MONITORING,
};
export const CONTROL_PLANE_BINARIES = Object.keys(CONTROL_PLANE) as ControlPlaneBinary[];
export const NODE_BINARIES = Object.keys(NODE) as NodeBinary[];

/** Whether the Kubernetes project publishes the binary as a single file. */
export function isPublished(name: BinaryName): boolean {
  return GO_SOURCES[name].module === "kubernetes";
}
