import { createArbiter } from "../../../src/controller/arbiter.ts";
import type { ArbiterRecorder } from "../../../src/controller/arbiter-recorder.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import type { EventReport } from "../../../src/kube/events.ts";
import type { JobView } from "../../../src/lease/job.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import type { Lease, LeaseRequest } from "../../../src/lease/types.ts";
import { BY_LEASE, BY_NODE } from "../../../src/objects/caches.ts";
import { createLeaseReporter, type HoldRecorder } from "../../../src/objects/lease-reporter.ts";
import type { NodeView } from "../../../src/objects/node-view.ts";
import type { Clock } from "../../../src/shared/clock.ts";
import { createLogger, type Logger } from "../../../src/shared/log.ts";
import { fedReflector } from "./fed-reflector.ts";
import { NO_COUNTS } from "./no-counts.ts";

export interface BuiltArbiterOptions {
  client: KubeClient;
  clock: Clock;
  recorder?: ArbiterRecorder & HoldRecorder;
  logger?: Logger;
  /** Gets each Event. */
  record?: (event: EventReport) => void;
}

const ignore = () => undefined;

/** The real arbiter, by default without Events and without a log. A test fills its caches. `begin` begins its term, and returns the function that ends it. */
export function buildArbiter({
  client,
  clock,
  recorder = NO_COUNTS,
  logger = createLogger({ level: "silent" }),
  record = ignore,
}: BuiltArbiterOptions) {
  const ofLease = ({ namespace, lease }: PodView | JobView) => lease && `${namespace}/${lease}`;
  const caches = {
    leases: fedReflector<Lease>({ [BY_NODE]: () => undefined }),
    requests: fedReflector<LeaseRequest>({
      [BY_LEASE]: ({ namespace, spec }) => `${namespace}/${spec.lease}`,
    }),
    pods: fedReflector<PodView>({ [BY_LEASE]: ofLease }),
    jobs: fedReflector<JobView>({ [BY_LEASE]: ofLease }),
    nodes: fedReflector<NodeView>(),
  };
  const events = { record, recordInTurn: () => true, waiting: () => 0 };
  const arbiter = createArbiter({
    client,
    caches,
    reporter: createLeaseReporter({ events, recorder, logger }),
    ...{ events, recorder, clock, logger },
    createMissingLeases: true,
    systemNamespace: "konductor-system",
  });
  return {
    caches,
    begin(): () => Promise<void> {
      const term = new AbortController();
      const over = arbiter.runTerm(term.signal).catch(ignore);
      return () => {
        term.abort();
        return over;
      };
    },
  };
}
