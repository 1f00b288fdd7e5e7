import type { ApiConnection } from "./network/connections.ts";

/** The processes that make up a node. */
export type NodeProcessName = "containerd" | "kubelet" | "kube-proxy";

/** What a scenario can do to a real node: one kubelet, containerd and kube-proxy in a network namespace of their own. */
export interface KubeletNode {
  /** The Node object's name. */
  readonly name: string;
  /** The node's InternalIP. The host has a route to the node, and to pods at their own addresses. */
  readonly address: string;
  /** `konductor.test/busybox:1` and `konductor.test/pause:1` are imported already. */
  importImage(archivePath: string): Promise<void>;
  /** Runs a command in the node's network namespace; nothing else differs from the host. Rejects if the command exits non-zero. */
  exec(command: string, ...args: string[]): Promise<string>;
  /** Signals the first process of a container. `id` is the one in the pod's status (without `containerd://`). */
  signalContainer(id: string, signal: NodeJS.Signals): Promise<void>;
  /** Kills a pod's sandbox (its pause container) with SIGKILL, as an OOM kill or a crashed runtime does. */
  killSandbox(podUid: string): Promise<void>;
  /** Ends a process of the node with SIGKILL and returns once it is gone; containers run on. */
  kill(name: NodeProcessName): Promise<void>;
  /** Starts a killed process again and returns once it answers. */
  start(name: NodeProcessName): Promise<void>;
  /** SIGSTOP: the process keeps its connections and does nothing; containers run on. */
  pause(name: NodeProcessName): void;
  /** SIGCONT. */
  resume(name: NodeProcessName): void;
  /** Ends the kubelet (SIGKILL): its containers run on and the node turns NotReady after `node-monitor-grace-period`. */
  stopKubelet(): Promise<void>;
  /** Starts the kubelet again and returns once its healthz answers. */
  startKubelet(): Promise<void>;
  /**
   * Drops every packet between each pod and its peer, also of open connections. All cuts begin at the same moment and last until the returned
   * function heals them. Cuts add up.
   * Traffic between a hostNetwork pod and the node itself cannot be cut.
   */
  partition(...cuts: readonly Cut[]): Promise<Heal>;
  apiConnections(podIp: string): Promise<ApiConnection[]>;
}

/** Heals one cut; a second call does nothing. */
export type Heal = () => Promise<void>;

/** `kubelet`: cuts the kubelet off from the API server; pods and containers run on. */
export type Cut = Partition | PodPort | "kubelet";

/** A pod and the peer that it is cut off from. */
export interface Partition {
  /** A pod's IP. Left out: every pod. */
  readonly podIp?: string;
  /** The peer: a Service's ClusterIP, a pod's IP or the node's address. Left out: everything. */
  readonly peerIp?: string;
}

/** A TCP port of a pod, which stands for the one connection from that port. */
export interface PodPort {
  readonly podIp: string;
  readonly podPort: number;
}

/** The ClusterIP of the Service `kubernetes`, at which pods reach the API server: a `peerIp` for `partition`. */
export const API_SERVER_CLUSTER_IP = "198.19.0.1";
