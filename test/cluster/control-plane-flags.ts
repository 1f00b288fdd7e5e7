import { join } from "node:path";
import { SERVICE_SUBNET } from "./network/addresses.ts";

/** Logs only writes of the control plane's own traffic. */
export const AUDIT_POLICY = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users: [system:apiserver, system:kube-scheduler, system:kube-controller-manager, system:kube-proxy]
    verbs: [get, list, watch]
  - level: None
    userGroups: [system:nodes]
    verbs: [get, list, watch]
  - level: None
    resources: [{group: coordination.k8s.io}]
    namespaces: [kube-system, kube-node-lease]
  - level: Metadata
`;

export interface FlagInputs {
  readonly dir: string;
  readonly pkiDir: string;
  readonly address: string;
  readonly ports: ControlPlanePorts;
  readonly kubeconfigs: { readonly controllerManager: string; readonly scheduler: string };
}

export interface ControlPlanePorts {
  readonly etcd: number;
  readonly etcdPeer: number;
  readonly apiServer: number;
  readonly controllerManager: number;
  readonly scheduler: number;
}

export function etcdFlags({ dir, address, ports }: FlagInputs): string[] {
  const client = `http://${address}:${ports.etcd}`;
  const peer = `http://${address}:${ports.etcdPeer}`;
  return [
    `--data-dir=${join(dir, "etcd")}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    "--unsafe-no-fsync",
    "--log-level=warn",
  ];
}

export function apiServerFlags({ dir, pkiDir, address, ports }: FlagInputs): string[] {
  return [
    `--etcd-servers=http://${address}:${ports.etcd}`,
    `--bind-address=${address}`,
    `--secure-port=${ports.apiServer}`,
    ...reachability(address),
    `--service-cluster-ip-range=${SERVICE_SUBNET}`,
    `--client-ca-file=${join(pkiDir, "ca.crt")}`,
    `--tls-cert-file=${join(pkiDir, "apiserver.crt")}`,
    `--tls-private-key-file=${join(pkiDir, "apiserver.key")}`,
    `--kubelet-client-certificate=${join(pkiDir, "kubelet-client.crt")}`,
    `--kubelet-client-key=${join(pkiDir, "kubelet-client.key")}`,
    "--kubelet-preferred-address-types=InternalIP",
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${join(pkiDir, "sa.pub")}`,
    `--service-account-signing-key-file=${join(pkiDir, "sa.key")}`,
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    "--allow-privileged=true",
    "--profiling=false",
    `--audit-policy-file=${join(dir, "audit-policy.yaml")}`,
    `--audit-log-path=${join(dir, "audit.log")}`,
    "--audit-log-maxsize=4096", // MiB: never rotated, a test reads one file
  ];
}

function reachability(address: string): string[] {
  if (!address.startsWith("127.")) return [`--advertise-address=${address}`];
  // A loopback address is not allowed in the endpoints of the Service `kubernetes`, so they stay empty. No kube-proxy serves ClusterIPs there, so
  // webhook calls go straight to endpoints.
  return ["--endpoint-reconciler-type=none", "--enable-aggregator-routing=true"];
}

export function controllerManagerFlags({ pkiDir, address, ports, kubeconfigs }: FlagInputs): string[] {
  return [
    `--kubeconfig=${kubeconfigs.controllerManager}`,
    `--bind-address=${address}`,
    `--secure-port=${ports.controllerManager}`,
    `--service-account-private-key-file=${join(pkiDir, "sa.key")}`,
    `--root-ca-file=${join(pkiDir, "ca.crt")}`,
    `--cluster-signing-cert-file=${join(pkiDir, "ca.crt")}`,
    `--cluster-signing-key-file=${join(pkiDir, "ca.key")}`,
    "--use-service-account-credentials",
    "--leader-elect=false",
  ];
}

export function schedulerFlags({ address, ports, kubeconfigs }: FlagInputs): string[] {
  return [
    `--kubeconfig=${kubeconfigs.scheduler}`,
    `--bind-address=${address}`,
    `--secure-port=${ports.scheduler}`,
    "--leader-elect=false",
  ];
}
