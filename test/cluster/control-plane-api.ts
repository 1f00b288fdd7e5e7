/** The processes that make up a control plane. */
export type ControlPlaneProcessName =
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "kube-scheduler";

/** A running control plane, and what a scenario can do to it. */
export interface ControlPlane {
  /** A cluster-admin's kubeconfig; works from the host. */
  readonly kubeconfigPath: string;
  /** Stays the same when the API server is killed and started again. */
  readonly apiServerUrl: string;
  /** Holds all state: `log/NAME.log`, `pki/`, `etcd/`. */
  readonly dir: string;
  /** Every request but the control plane's own reads, one JSON object (`audit.k8s.io/v1` Event) a line, written before it is answered. */
  readonly auditLogPath: string;
  /** The pid of a process that runs, or undefined. */
  pid(name: ControlPlaneProcessName): number | undefined;
  /** Ends a process with SIGKILL and returns when it is gone. */
  kill(name: ControlPlaneProcessName): Promise<void>;
  /** Starts a killed process again with the same flags and returns when it is ready. */
  start(name: ControlPlaneProcessName): Promise<void>;
  /** SIGSTOP: the process keeps its connections and answers nothing. */
  pause(name: ControlPlaneProcessName): void;
  /** SIGCONT. */
  resume(name: ControlPlaneProcessName): void;
  /** Ends all of its processes; what else belongs to a cluster is ended by `Cluster.stop`. */
  stop(): Promise<void>;
}
