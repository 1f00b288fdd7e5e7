import type { KubeConfig } from "@kubernetes/client-node";
import { createKubeClient } from "../../../src/kube/client.ts";
import { createEventRecorder, type EventReport } from "../../../src/kube/events.ts";
import type { Lease } from "../../../src/lease/types.ts";
import { createCaches } from "../../../src/objects/caches.ts";
import { createLeaseReporter } from "../../../src/objects/lease-reporter.ts";
import { boundsFor } from "../../../src/server/bounds/bounds.ts";
import { createAuthenticate } from "../../../src/server/identity/authenticate.ts";
import { createPublishedKeys } from "../../../src/server/identity/published-keys.ts";
import { createVerifySignature } from "../../../src/server/identity/verify-signature.ts";
import { createReadiness } from "../../../src/server/readiness.ts";
import { createServer, type Server } from "../../../src/server/server.ts";
import { systemClock } from "../../../src/shared/clock.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { SYSTEM_NAMESPACE } from "../../../src/shared/names.ts";
import { issueServingCertificate, type KeyPair } from "../../../src/tls/authority.ts";
import { waitFor } from "../../cluster/wait.ts";
import { NO_COUNTS } from "../../unit/controller/no-counts.ts";
import { type Caller, createCaller } from "./caller.ts";

/** The URLs of konductor that every replica tells gates and keepers. */
export const URLS = ["https://10.96.0.7:443"];

/** A konductor that serves the gate API, without an arbiter: the tests act as the arbiter. */
export interface Replica extends Caller {
  server: Server;
  /** Events that the replica recorded, as "reason: message". */
  recorded: string[];
  /** Waits until the replica's cache shows the klease (`namespace/name`) as `holds` requires. */
  sees(key: string, holds: (lease: Lease | undefined) => boolean): Promise<void>;
  stop(): Promise<void>;
}

export interface ReplicaOptions {
  kubeConfig: KubeConfig;
  authority: KeyPair;
  createMissingLeases?: boolean;
}

export async function startReplica(options: ReplicaOptions): Promise<Replica> {
  const { kubeConfig, authority, createMissingLeases = true } = options;
  const clock = systemClock();
  const logger = createLogger({ level: "error" });
  const client = createKubeClient({ kubeConfig, userAgent: "konductor-test" });
  const caches = createCaches({ client, clock, logger });
  const ending = new AbortController();
  const followed = [caches.leases, caches.requests, caches.pods];
  for (const cache of followed) cache.start(ending.signal);
  await Promise.all(followed.map(({ synced }) => synced));
  const names = { dnsNames: ["konductor.konductor-system.svc"], ipAddresses: ["127.0.0.1"] };
  const { certPem, keyPem } = await issueServingCertificate(authority, names, clock.nowMs());
  const recorded: string[] = [];
  const recorder = createEventRecorder({
    client,
    clock,
    logger,
    component: "konductor",
    instance: "test",
    perSecond: () => 10,
  });
  const events = {
    record(report: EventReport) {
      recorded.push(`${report.reason}: ${report.message}`);
      recorder.record(report);
    },
  };
  const verifySignature = createVerifySignature({ keys: createPublishedKeys({ client, clock }), clock });
  const server = createServer({
    tls: { cert: certPem, key: keyPem },
    admission: (_app, _options, done) => done(),
    gateApi: {
      client,
      caches,
      events,
      reporter: createLeaseReporter({ events, recorder: NO_COUNTS, logger }),
      authenticate: createAuthenticate({ client, clock, caches, verifySignature }),
      verifySignature,
      trust: () => ({ ca: authority.certPem, urls: URLS }),
      clock,
      logger,
      systemNamespace: SYSTEM_NAMESPACE,
      createMissingLeases,
    },
    bounds: boundsFor(1024 ** 3),
    readiness: createReadiness({ unsynced: () => [] }),
    clock,
    logger,
  });
  const url = await server.app.listen({ host: "127.0.0.1", port: 0 });
  return {
    ...createCaller(url, authority.certPem),
    server,
    recorded,
    sees: (key, holds) =>
      waitFor({
        what: `the replica to see klease ${key} change`,
        withinMs: 10_000,
        everyMs: 10,
        holds: async () => holds(caches.leases.store.get(key)),
      }),
    async stop() {
      await server.drain({ settleMs: 0 });
      await server.app.close();
      await recorder.flush();
      ending.abort();
      await client.close();
    },
  };
}
