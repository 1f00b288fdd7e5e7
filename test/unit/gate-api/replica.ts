import { createReflector } from "../../../src/kube/reflector.ts";
import { LEASE_REQUESTS, LEASES, PODS } from "../../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../../src/lease/codec.ts";
import { parsePod } from "../../../src/lease/pod.ts";
import { BY_LEASE } from "../../../src/objects/caches.ts";
import { boundsFor } from "../../../src/server/bounds/bounds.ts";
import type { PodIdentity } from "../../../src/server/identity/identity.ts";
import { createReadiness, type Readiness } from "../../../src/server/readiness.ts";
import { createServer } from "../../../src/server/server.ts";
import type { Clock } from "../../../src/shared/clock.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { PATH } from "../../../src/shared/names.ts";
import type { Certificate } from "../gate/certificates.ts";
import type { Link } from "./memory-api.ts";

/** A konductor replica without an arbiter. */
export interface Replica extends Link {
  url: string;
  readiness: Readiness;
  /** The number of connections opened to it. */
  connections(): number;
  /** The number of open connections. */
  open(): number;
  close(): Promise<void>;
}

export interface ReplicaOptions {
  link: Link;
  clock: Clock;
  certificate: Certificate;
  /** The pod that calls. */
  caller: PodIdentity;
  /** The limit of connections. */
  connections: number;
}

/** Starts a replica. Resolves when its caches are filled and it listens. */
export async function startReplica({
  link,
  clock,
  certificate,
  caller,
  connections: most,
}: ReplicaOptions): Promise<Replica> {
  const logger = createLogger({ level: "silent" });
  const shared = { client: link.client, clock, logger };
  const indexers = {
    [BY_LEASE]: ({ namespace, spec }: { namespace: string; spec: { lease: string } }) =>
      `${namespace}/${spec.lease}`,
  };
  const caches = {
    leases: createReflector({ ...shared, resource: LEASES, parse: parseLease }),
    requests: createReflector({ ...shared, resource: LEASE_REQUESTS, parse: parseLeaseRequest, indexers }),
    pods: createReflector({ ...shared, resource: PODS, parse: parsePod }),
  };
  const ending = new AbortController();
  for (const cache of Object.values(caches)) {
    cache.start(ending.signal);
    await cache.synced;
  }
  const readiness = createReadiness({ unsynced: () => [] });
  const { app } = createServer({
    tls: certificate,
    admission(admission, _options, done) {
      admission.post(PATH.mutate, async () => ({}));
      done();
    },
    bounds: { ...boundsFor(1024 ** 3), connections: most },
    readiness,
    clock,
    logger,
    gateApi: {
      client: link.client,
      caches,
      events: { record: () => {} },
      reporter: { report: () => {} },
      authenticate: async () => caller,
      verifySignature: async () => caller,
      trust: () => ({ ca: certificate.cert, urls: [] }),
      clock,
      logger,
      systemNamespace: "konductor-system",
      createMissingLeases: true,
    },
  });
  let [connections, open] = [0, 0];
  app.server.on("secureConnection", (socket) => {
    connections++;
    open++;
    socket.once("close", () => {
      open--;
    });
  });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  link.calls.length = 0;
  return Object.assign(link, {
    url,
    readiness,
    connections: () => connections,
    open: () => open,
    async close() {
      ending.abort();
      await app.close();
    },
  });
}
