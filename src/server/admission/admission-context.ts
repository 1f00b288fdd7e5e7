import type { ContainerLimits } from "../../objects/limit-ranges.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import type { Injection } from "./containers.ts";
import type { PodSpec } from "./objects.ts";

/** What admission may look at while it answers: memory and caches. No API call is made inside an admission request. */
export interface AdmissionContext {
  /** What the cluster can do now; followed live. */
  features: () => { canFence(pod: PodSpec): boolean };
  /** The Leases that are known. */
  leases: { get: (namespace: string, name: string) => { ttlMs: number } | undefined };
  /** What is injected now: the CA and the address change over a server's life. */
  injection: () => Injection;
  /** Architectures that the image of injected containers was built for, as nodes name them. */
  imageArchitectures: readonly string[];
  /** What the author of every labelled workload is told, by a warning. */
  notices: readonly string[];
  /** What LimitRanges of the namespace ask of every container. */
  limitRanges: { in(namespace: string): readonly ContainerLimits[] };
  /** konductor's own user name. */
  account: string;
  /** Namespaces in which the label is refused. */
  systemNamespaces: readonly string[];
  /** Whether a Lease that does not exist is created when the first pod asks for it. */
  createMissingLeases: boolean;
  /** The beginning of a trace, named by a W3C traceparent; undefined while traces are off. */
  newTraceParent?: (() => string) | undefined;
  clock: Pick<Clock, "nowMs" | "monotonicMs" | "after">;
  logger: Logger;
}

/** A decision about an object: what it becomes, and what its author should know. */
export interface Rewritten<T> {
  object: T;
  warnings: string[];
}
