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
  /** Ends the elected replica with SIGKILL and resolves when it is dead; whatever runs it starts it again. */
  killArbiter(): Promise<void>;
  /** Stops the elected replica with SIGSTOP; resolves with what lets it go on. */
  pauseArbiter(): Promise<() => Promise<void>>;
  /** Stops every replica (SIGKILL) and keeps them stopped. */
  stop(): Promise<void>;
  /** Starts them again and resolves when they are ready. */
  start(): Promise<void>;
  /** An origin at which the test reaches a replica's HTTPS. */
  url(): Promise<string>;
  /** What every replica has logged, for a failed scenario. */
  logs(): Promise<string>;
}

/** What a scenario works with: a real cluster, konductor installed in it, and one node of either kind. */
export interface Environment {
  node: NodeKind;
  cluster: Cluster;
  /** Cluster-admin. */
  client: KubeClient;
  kubectl: Kubectl;
  konductor: Konductor;
  /** Signals the first process of a container. */
  killContainer(pod: PodName, container: string, signal: NodeJS.Signals): Promise<void>;
  /** A namespace of the scenario's own. */
  createNamespace(): Promise<string>;
  /** Where workloads of one Lease write what they do; outside the cluster, so that it outlives pods. */
  journal(lease: string): Journal;
  /** Makes a time known that was measured; `expectWithin` checks it as well. */
  report(figure: Figure): void;
  stop(): Promise<void>;
}

/** One thing that has to be true on every node, or on a kubelet only. */
export interface Scenario {
  name: string;
  /** Of the table that `make test-life` prints. */
  row?: Row;
  /** Why the process node cannot show it. */
  needsKubelet?: string;
  /** Where it runs once; by default where {@link homeOf} says. */
  home?: NodeKind;
  /** What it takes away from others, or must have for itself. */
  locks?: readonly Lock[];
  /** Judges all that happened before: it runs last, and alone. */
  looksBack?: boolean;
  /** What it relies on, if not on everything. */
  uses?: readonly Part[];
  timeoutMs?: number;
  run(environment: Environment): Promise<void>;
}

/**
 * On which node a scenario runs in `make test`, where there is a kubelet: what the life table promises is shown by a real one. `make
 * test-all` runs it wherever it can run.
 */
export function homeOf({
  home,
  needsKubelet,
  row,
}: Pick<Scenario, "home" | "needsKubelet" | "row">): NodeKind {
  return home ?? (needsKubelet || row ? "kubelet" : "process");
}
