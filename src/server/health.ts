import { type FastifyInstance, fastify } from "fastify";
import type { Readiness } from "./readiness.ts";

/**
 * Plain HTTP for the kubelet; the caller listens. `/healthz` says that the event loop turns, which is all that it can prove: a
 * restart would help with nothing else. `/readyz` is 503, with the reason, while this replica should get no work.
 */
export function createHealthServer({ readiness }: { readiness: Readiness }): FastifyInstance {
  const app = fastify({ logger: false, bodyLimit: 1024, requestTimeout: 5_000 });
  app.get("/healthz", () => ({ status: "ok" }));
  app.get("/readyz", (_request, reply) => {
    const reason = readiness.problem();
    return reply
      .code(reason === undefined ? 200 : 503)
      .send(reason === undefined ? { status: "ok" } : { reason });
  });
  return app;
}
