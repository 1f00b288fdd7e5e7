/**
 * The workloads that take turns. Rows of "Not covered" in docs/guarantees.md that no workload here has: `on-lost: continue`; AfterExpiry for pods
 * that cannot fence; ephemeral containers; koncli; forced releases; kleases that are deleted.
 */
import { ANNOTATION, API_VERSION, LEASE_FILES } from "../../src/shared/names.ts";
import type { Journal } from "../e2e/journal.ts";
import { job } from "../e2e/workload.ts";
import type { Random } from "./random.ts";

export interface LeasePlan {
  name: string;
  /** Without a spec, konductor creates the klease. */
  spec?: { ttl: string; handoverPolicy?: string };
}

export const LEASE_PLANS: readonly LeasePlan[] = [
  { name: "backup", spec: { ttl: "15s" } },
  { name: "import", spec: { ttl: "20s" } },
  { name: "report", spec: { ttl: "30s" } },
  { name: "ledger", spec: { ttl: "15s", handoverPolicy: "AfterTermination" } },
  { name: "billing", spec: { ttl: "20s", handoverPolicy: "AfterTermination" } },
  { name: "unnamed" },
];
const CREATED_TTL = "15s";
const LANES_OF_EACH = 4;
/** The index of the lane whose Jobs hold as a whole. */
const WHOLE_LANE = 1;

export function leaseObjects(namespace: string): object[] {
  return LEASE_PLANS.flatMap(({ name, spec }) =>
    spec ? [{ apiVersion: API_VERSION, kind: "Lease", metadata: { namespace, name }, spec }] : [],
  );
}

/** One workload: its Job is created again whenever it has ended. */
export interface Lane {
  name: string;
  lease: LeasePlan;
  /** The lane's Jobs wait and hold as a whole, and have two pods side by side. */
  isWhole: boolean;
  completions: number;
  runsForSeconds: number;
  restartPolicy: "Never" | "OnFailure";
  onTerm: "end" | "ignore" | { afterSeconds: number };
  failsAtFirst: boolean;
  priority?: number;
  graceSeconds: number;
  /** The delay of the first Job: two dozen pods that start at once take every CPU. */
  startsAfterMs: number;
  /** Between two Jobs of the lane. */
  pauseMs: number;
}

export function planLanes(random: Random): Lane[] {
  return LEASE_PLANS.flatMap((lease) =>
    Array.from({ length: LANES_OF_EACH }, (_, index): Lane => {
      const restartPolicy = random.pick(["Never", "OnFailure"] as const);
      return {
        name: `${lease.name}-${index + 1}`,
        lease,
        isWhole: index === WHOLE_LANE,
        completions: index === WHOLE_LANE || random.percent(25) ? 2 : 1,
        // Each klease has one long-running workload, so that faults meet holders.
        runsForSeconds: index === 0 ? random.between(15, 30) : random.between(20, 80) / 10,
        restartPolicy,
        onTerm: random.pick(["end", "ignore", { afterSeconds: 2 }] as const),
        failsAtFirst: restartPolicy === "OnFailure" && random.percent(25),
        ...(random.percent(40) && { priority: random.between(1, 10) }),
        graceSeconds: random.between(1, 12),
        startsAfterMs: index === 0 ? 0 : random.between(5_000, 25_000),
        pauseMs: random.between(1_000, 12_000),
      };
    }),
  );
}

export interface LaneJob {
  namespace: string;
  journal: Journal;
  /** How many turns the lane has had before. */
  generation: number;
  /** false: nothing is labelled. */
  guard: boolean;
}

const LEASE_DIR = "/lease";
const KEPT_FOR_SECONDS = 120;
/** A fenced or killed pod costs a try. With restarts in place, every pod gets to its end. */
const TRIES = 1_000;

export function laneJob(lane: Lane, { namespace, journal, generation, guard }: LaneJob) {
  const { name, lease, isWhole, completions, restartPolicy, priority } = lane;
  const annotations = {
    [ANNOTATION.tokenFile]: LEASE_DIR,
    ...(!lease.spec && { [ANNOTATION.ttl]: CREATED_TTL }),
    ...(priority !== undefined && { [ANNOTATION.priority]: String(priority) }),
    ...(isWhole && { [ANNOTATION.gate]: "job" }),
  };
  const { lease: _, priority: __, isWhole: ___, ...main } = lane;
  const labelled = {
    lease: lease.name,
    annotations,
    readToken: `read -r token < ${LEASE_DIR}/${LEASE_FILES.token}`,
  };
  return job(
    { ...main, name: `${name}-${generation}`, namespace, journal, ...(guard && labelled) },
    {
      completions,
      parallelism: completions,
      backoffLimit: restartPolicy === "OnFailure" ? TRIES : 0,
      ttlSecondsAfterFinished: KEPT_FOR_SECONDS,
    },
  );
}
