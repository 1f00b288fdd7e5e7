/** A konductor replica as serve.ts builds it, without certificates and admission: caches, gate API, election, arbiter. */
import { createArbiter } from "../../src/controller/arbiter.ts";
import type { KubeClient } from "../../src/kube/api.ts";
import { createLeaderElector } from "../../src/kube/leader-election.ts";
import { learnTime, type ServerClock } from "../../src/kube/server-clock.ts";
import { createCaches } from "../../src/objects/caches.ts";
import { areFresh } from "../../src/objects/freshness.ts";
import { createLeaseReporter } from "../../src/objects/lease-reporter.ts";
import { createGateApi } from "../../src/server/gate-api/gate-api.ts";
import { createAuthenticate } from "../../src/server/identity/authenticate.ts";
import { createPublishedKeys } from "../../src/server/identity/published-keys.ts";
import { createLogger } from "../../src/shared/log.ts";
import { ELECTION_LEASE, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import { NO_COUNTS } from "../unit/controller/no-counts.ts";
import type { Line } from "./api/line.ts";
import { verifier } from "./api/reviews.ts";
import { mount } from "./gate-routes.ts";
import type { Process } from "./process.ts";
import type { Endpoint } from "./service.ts";

const SILENT = createLogger({ level: "silent" });
/** The same limit as in src/bin/serve/serve.ts. */
const ASK_TIME = { timeoutMs: 1_000 };
const NO_EVENTS = { record: () => undefined, recordInTurn: () => true, waiting: () => 0 };

export interface Replica extends Endpoint {
  line: Line;
  clock: ServerClock;
  isReady: boolean;
  isCutFromGates: boolean;
  isLeader(): boolean;
  /** SIGTERM: the replica hands its work over and ends. */
  end(): void;
}

export interface ReplicaOptions {
  client: KubeClient;
  process: Process;
  clock: ServerClock;
  line: Line;
  /** The identity of this run of the process. */
  identity: string;
}

export function startReplica({ client, process, clock, line, identity }: ReplicaOptions): Replica {
  const logger = SILENT;
  const ending = new AbortController();
  const caches = createCaches({ client, clock, logger });
  const events = NO_EVENTS;
  const recorder = NO_COUNTS;
  const reporter = createLeaseReporter({ events, recorder, logger });
  const common = { client, caches, events, reporter, recorder, clock, logger };
  const verifySignature = verifier(createPublishedKeys({ client, clock }));
  const gates = createGateApi(
    {
      ...common,
      authenticate: createAuthenticate({ client, clock, caches, verifySignature }),
      verifySignature,
      trust: () => ({ ca: "", urls: [] }),
      systemNamespace: SYSTEM_NAMESPACE,
      createMissingLeases: true,
    },
    { maxStreams: 1_000 },
  );
  const arbiter = createArbiter({ ...common, createMissingLeases: true, systemNamespace: SYSTEM_NAMESPACE });
  const elector = createLeaderElector({
    ...{ client, clock, logger, identity },
    namespace: SYSTEM_NAMESPACE,
    name: ELECTION_LEASE,
    isFit: () => areFresh(Object.values(caches), clock),
    onStartedLeading: (term) => arbiter.runTerm(term),
  });
  const replica: Replica = {
    process,
    line,
    clock,
    isReady: false,
    isCutFromGates: false,
    routes: mount(gates.plugin),
    isLeader: elector.isLeader,
    isAble: () => !process.isDead && !line.isCut && line.troubles.size === 0,
    end() {
      replica.isReady = false;
      void gates.drain();
      ending.abort();
    },
  };
  async function run(): Promise<void> {
    const { signal } = new AbortController();
    const all = Object.values(caches);
    for (const cache of all) cache.start(signal);
    const timeLearned = learnTime(clock, () => client.raw("GET", "/version", undefined, ASK_TIME), signal);
    await Promise.all([...all.map(({ synced }) => synced), timeLearned]);
    replica.isReady = true;
    await elector.run(ending.signal);
    process.kill();
  }
  void run();
  return replica;
}
