import { type FastifyInstance, fastify } from "fastify";
import type { Readiness } from "./readiness.ts";

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
 */
export function createHealthServer({ readiness, metrics }: HealthServerOptions): FastifyInstance {
  const app = fastify({ logger: false, bodyLimit: 1024, requestTimeout: 5_000 });
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
