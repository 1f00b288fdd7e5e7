import type { KubeClient } from "../../src/kube/api.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Kubectl } from "../integration/kubectl.ts";
import type { Figure } from "./figures.ts";
import type { Journal } from "./journal.ts";
import type { Row } from "./rows.ts";
import type { Lock, Part } from "./schedule.ts";

export type NodeKind = "kubelet" | "process";

export interface PodName {
  namespace: string;
  name: string;
}

/** The running konductor, and what a scenario can do to it. */
export interface Konductor {
  /** Kills the elected replica with SIGKILL and resolves when it is dead; its kubelet, or what replaces that, restarts it. */
  killArbiter(): Promise<void>;
  /** Pauses the elected replica with SIGSTOP; resolves with a function that resumes it. */
  pauseArbiter(): Promise<() => Promise<void>>;
  /** Stops every replica (SIGKILL) and keeps them stopped. */
  stop(): Promise<void>;
  /** Starts the replicas again and resolves when they are ready. */
  start(): Promise<void>;
  /** The origin at which the test reaches a replica by HTTPS. */
  url(): Promise<string>;
  /** The logs of all replicas, for a failed scenario. */
  logs(): Promise<string>;
}

/** What a scenario works with: a real cluster with konductor installed, and one node of either kind. */
export interface Environment {
  node: NodeKind;
  cluster: Cluster;
  /** With the rights of cluster-admin. */
  client: KubeClient;
  kubectl: Kubectl;
  konductor: Konductor;
  /** Signals the first process of a container. */
  killContainer(pod: PodName, container: string, signal: NodeJS.Signals): Promise<void>;
  /** Creates a namespace for this scenario alone. */
  createNamespace(): Promise<string>;
  /** Where the workloads of one Lease record what they do; outside the cluster, so that the records outlive pods. */
  journal(lease: string): Journal;
  /** Reports a measured time; `expectWithin` checks it as well. */
  report(figure: Figure): void;
  stop(): Promise<void>;
}

/** One behaviour that must hold on every node, or on a kubelet only. */
export interface Scenario {
  name: string;
  /** The row in the table that `make test-life` prints. */
  row?: Row;
  /** Why the process node cannot show this behaviour. */
  needsKubelet?: string;
  /** The node on which the scenario runs in `make test`; by default the one of {@link homeOf}. */
  home?: NodeKind;
  /** Shows that an install works: runs on a trial as well. */
  isSmoke?: boolean;
  /** What the scenario takes away from others, or needs for itself. */
  locks?: readonly Lock[];
  /** Judges everything that happened before: runs last, and alone. */
  looksBack?: boolean;
  /** What the scenario relies on; left out: everything. */
  uses?: readonly Part[];
  timeoutMs?: number;
  run(environment: Environment): Promise<void>;
}

/**
 * The node on which a scenario runs in `make test`, if there is a kubelet: a real kubelet has to show what the life table promises. `make test-all`
 * runs a scenario on every node where it can run.
 */
export function homeOf({
  home,
  needsKubelet,
  row,
}: Pick<Scenario, "home" | "needsKubelet" | "row">): NodeKind {
  return home ?? (needsKubelet || row ? "kubelet" : "process");
}
