/**
 * Which faults there are, and which must not happen at the same time. A run may only do what docs/guarantees.md covers; each exclusion names the row
 * of its table "Not covered" that it observes. Rows that no fault here comes near to are listed in workloads.ts.
 */

/**
 * Where a fault strikes. Each group except the pods has one fault at a time. For konductor, this keeps one replica at work while another is ill, as
 * the promise "One replica that works is enough" requires.
 */
export type Group = "control plane" | "konductor" | "network" | "pod" | "node";

export interface FaultKind {
  name: string;
  group: Group;
  /** How long until the fault is healed; undefined: there is nothing to heal. */
  lastsMs?: readonly [least: number, most: number];
  /** While the fault lasts, the kubelet cannot tell the API server what it sees. */
  cutsNodeOff?: boolean;
  /** How much more often than other faults. */
  weight?: number;
}

/** Longer than the longest ttl. */
const LONG_MS = 32_000;
/** Longer than the shortest ttl. */
const BEYOND_TTL_MS = 18_000;
/** A node is NotReady after 50 s; konductor's pods on it then leave the endpoints. */
const KUBELET_AWAY_MS = 25_000;
/** The kubelet calls a node NotReady 30 s after its runtime is gone. */
const RUNTIME_AWAY_MS = 18_000;
/** Longer than a replica waits for a sign of life on a watch. */
const UNHEARD_MS = 10_000;
const STALLED_MS = 60_000;
/**
 * Row "a node so short of CPU that the keeper does not run for seconds": a paused keeper fences late. Up to this duration the allowance of 2 s that
 * is added to each ttl covers the pause.
 */
const KEEPER_STANDS_MS = 1_000;

const KINDS = [
  { name: "kill -9 of kube-apiserver", group: "control plane", lastsMs: [1_000, LONG_MS], cutsNodeOff: true },
  { name: "kill -9 of etcd", group: "control plane", lastsMs: [1_000, LONG_MS], cutsNodeOff: true },
  { name: "pause of kube-apiserver", group: "control plane", lastsMs: [1_000, LONG_MS], cutsNodeOff: true },
  { name: "pause of etcd", group: "control plane", lastsMs: [1_000, LONG_MS], cutsNodeOff: true },
  { name: "slow kube-apiserver", group: "control plane", lastsMs: [4_000, BEYOND_TTL_MS] },
  { name: "kill -9 of kube-controller-manager", group: "control plane", lastsMs: [500, 10_000] },
  { name: "kill -9 of kube-scheduler", group: "control plane", lastsMs: [500, 10_000] },

  { name: "kill -9 of a replica", group: "konductor", weight: 2 },
  { name: "kill -9 of the arbiter", group: "konductor", weight: 2 },
  { name: "kill -9 of every replica", group: "konductor" },
  { name: "pause of a replica", group: "konductor", lastsMs: [1_000, LONG_MS] },
  { name: "pause of the arbiter", group: "konductor", lastsMs: [1_000, LONG_MS], weight: 2 },
  { name: "cut of a replica from the API server", group: "konductor", lastsMs: [2_000, LONG_MS], weight: 2 },
  { name: "stall of a replica's watch", group: "konductor", lastsMs: [UNHEARD_MS, STALLED_MS], weight: 2 },

  { name: "partition of a holder from konductor", group: "network", lastsMs: [2_000, LONG_MS], weight: 2 },
  { name: "partition of every holder from konductor", group: "network", lastsMs: [2_000, LONG_MS] },
  { name: "partition of all pods", group: "network", lastsMs: [2_000, BEYOND_TTL_MS] },
  {
    name: "partition of the kubelet from the API server",
    group: "network",
    lastsMs: [2_000, KUBELET_AWAY_MS],
    cutsNodeOff: true,
  },
  {
    name: "partition of the holders from konductor and of the kubelet from the API server",
    group: "network",
    lastsMs: [2_000, KUBELET_AWAY_MS],
    cutsNodeOff: true,
    weight: 2,
  },

  { name: "kill -9 of a gate", group: "pod", weight: 3 },
  { name: "kill -9 of a main", group: "pod", weight: 3 },
  { name: "kill -9 of a keeper", group: "pod", weight: 3 },
  { name: "kill -9 of a sandbox", group: "pod" },
  { name: "deletion of a holder", group: "pod" },
  { name: "pause of a keeper", group: "pod", lastsMs: [200, KEEPER_STANDS_MS], weight: 2 },
  // `handoverPolicy: AfterTermination` covers a pause of any length.
  { name: "pause of a keeper under AfterTermination", group: "pod", lastsMs: [2_000, LONG_MS] },

  { name: "kill -9 of the kubelet", group: "node", lastsMs: [500, KUBELET_AWAY_MS] },
  { name: "pause of the kubelet", group: "node", lastsMs: [1_000, KUBELET_AWAY_MS] },
  { name: "kill -9 of containerd", group: "node", lastsMs: [500, RUNTIME_AWAY_MS] },
  { name: "pause of containerd", group: "node", lastsMs: [1_000, RUNTIME_AWAY_MS] },
] as const satisfies readonly FaultKind[];

export type FaultName = (typeof KINDS)[number]["name"];

export const FAULTS: readonly (FaultKind & { name: FaultName })[] = KINDS;

const KEEPER_CRASH: FaultName = "kill -9 of a keeper";

/** What may happen to pods while their kubelet or its runtime is away. */
const BESIDE_NODE_FAULTS: readonly string[] = ["kill -9 of a gate", "kill -9 of a main"];
const KUBELET_FAULTS: readonly string[] = ["kill -9 of the kubelet", "pause of the kubelet"];

/**
 * Whether the cluster must be healthy before the fault, and again before the next round. Row "a kubelet that is dead while its containers run, or was
 * restarted while cut off": no keeper may have a reason to fence meanwhile.
 */
export function needsCalm({ group }: FaultKind): boolean {
  return group === "node";
}

export function goTogether(one: FaultKind, other: FaultKind): boolean {
  if (one.group === other.group && one.group !== "pod") return false;
  return isAllowedBeside(one, other) && isAllowedBeside(other, one);
}

function isAllowedBeside(one: FaultKind, other: FaultKind): boolean {
  // The same row: while the kubelet is away, only faults that do not stop renewals may happen. Containers are killed through containerd.
  if (one.group === "node")
    return KUBELET_FAULTS.includes(one.name) && BESIDE_NODE_FAULTS.includes(other.name);
  // Row "a keeper that crashes while its node is cut off".
  return !(one.name === KEEPER_CRASH && other.cutsNodeOff);
}
