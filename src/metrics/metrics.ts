/**
 * Every metric of a replica. The other rooms name what they tell, and know nothing of Prometheus.
 *
 * Labels have values from fixed lists: nobody can make more series by what they name their objects. The series of single kleases are those
 * of the list that the admin gives. The page takes three passes over cached requests and kleases, at most once a second.
 */
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { MetricsPage } from "../server/health.ts";
import type { Clock } from "../shared/clock.ts";
import { createMetricsPage } from "./page.ts";
import { declareRecorded, type Recorded } from "./recorded.ts";
import { declareState, type ReplicaState } from "./state.ts";

export interface MetricsOptions {
  version: string;
  /** What this process may use. */
  memoryBytes: number;
  clock: Pick<Clock, "monotonicMs">;
}

export interface Metrics extends Recorded {
  page: MetricsPage;
  /** Adds what is looked up at each scrape, once the replica can be asked. To be called once. */
  observe(state: ReplicaState): void;
  /** Adds Node's own metrics, which are measured from then on until the process ends. To be called once. */
  observeProcess(): void;
}

export function createMetrics({ version, memoryBytes, clock }: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const build = new Gauge({
    name: "konductor_build_info",
    help: "Always 1; the version is a label.",
    labelNames: ["version"],
    registers,
  });
  build.set({ version }, 1);
  new Gauge({
    name: "konductor_memory_limit_bytes",
    help: "What this process may use: the limit of its container, else the machine's memory.",
    registers,
  }).set(memoryBytes);
  return {
    ...declareRecorded(registry),
    page: createMetricsPage(registry, clock),
    observe: (state) => declareState(registry, state),
    observeProcess: () => collectDefaultMetrics({ register: registry }),
  };
}
