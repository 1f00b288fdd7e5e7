import type { Socket } from "node:net";
import { type FastifyInstance, fastify } from "fastify";
import { boundConnections } from "./bounds/bounded-connections.ts";
import type { Readiness } from "./readiness.ts";

/** Many more than kubelet, Prometheus and an admin's shell need. */
const MAX_CONNECTIONS = 64;
/** A connection on which nothing moves is closed: else whoever does not read its answer would keep its place for good. */
const SILENT_FOR_MS = 5_000;

/** What `/metrics` answers. */
export interface MetricsPage {
  contentType: string;
  text(): Promise<string>;
}

export interface HealthServerOptions {
  readiness: Readiness;
  metrics: MetricsPage;
}

/**
 * Plain HTTP for the kubelet and for Prometheus; the caller listens. `/healthz` says that the event loop turns, which is all that it can prove: a
 * restart would help with nothing else. `/readyz` is 503, with the reason, while this replica should get no work.
 * Anybody may call: connections are few, each peer leaves some for others, and each gets one answer.
 */
export function createHealthServer({ readiness, metrics }: HealthServerOptions): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: 1024,
    requestTimeout: 5_000,
    connectionTimeout: SILENT_FOR_MS,
    maxRequestsPerSocket: 1,
  });
  boundConnections(app.server, MAX_CONNECTIONS);
  // Node would keep an answer to each of thousands of requests that come at once, until somebody reads the first one.
  app.server.on("dropRequest", (_request: unknown, socket: Socket) => socket.destroy());
  app.addHook("onSend", (_request, reply, payload, done) => {
    reply.header("connection", "close");
    done(null, payload);
  });
  app.get("/healthz", () => ({ status: "ok" }));
  app.get("/readyz", (_request, reply) => {
    const reason = readiness.problem();
    return reply
      .code(reason === undefined ? 200 : 503)
      .send(reason === undefined ? { status: "ok" } : { reason });
  });
  app.get("/metrics", async (_request, reply) => {
    const text = await metrics.text();
    return reply.type(metrics.contentType).send(text);
  });
  return app;
}
