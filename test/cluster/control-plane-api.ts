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
  /**
   * Every request except the control plane's own reads: one JSON object (`audit.k8s.io/v1` Event) per line, written before the request is answered.
   */
  readonly auditLogPath: string;
  /** The pid of a running process, or undefined. */
  pid(name: ControlPlaneProcessName): number | undefined;
  /** Ends a process with SIGKILL and returns once it is gone. */
  kill(name: ControlPlaneProcessName): Promise<void>;
  /** Starts a killed process again with the same flags and returns when it is ready. */
  start(name: ControlPlaneProcessName): Promise<void>;
  /** SIGSTOP: the process keeps its connections and answers nothing. */
  pause(name: ControlPlaneProcessName): void;
  /** SIGCONT. */
  resume(name: ControlPlaneProcessName): void;
  /** Ends all processes of the control plane; `Cluster.stop` ends the rest of the cluster. */
  stop(): Promise<void>;
}
