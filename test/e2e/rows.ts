/** The ways in which a hold ends, or lasts: the rows of the table that `make test-life` prints. */
export const ROWS = [
  "main completes, fails, is OOM-killed",
  "pod deleted, and main stops late or never",
  "evicted, preempted, Job deleted, activeDeadlineSeconds",
  "force-deleted, garbage-collected, Node deleted, out-of-service taint",
  "main, keeper, kubelet or containerd restarted",
  "gate killed, gate silent, pod deleted while it waits",
  "sandbox re-created",
  "keeper down past the ttl",
  "keeper cut off, and the pod can fence itself",
  "keeper cut off, and the pod cannot fence itself",
  "node lost",
  "main never starts",
  "main crash-loops",
  "konductor, API server or etcd away",
  "arbiter killed, two arbiters at once",
  "Lease deleted or changed while held, forced release",
  "a Job holds as a whole",
  "work is done once",
  "successors: StatefulSet, DaemonSet, active/passive pair",
] as const;

export type Row = (typeof ROWS)[number];
