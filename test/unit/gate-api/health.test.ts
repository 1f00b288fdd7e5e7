import { expect, test } from "vitest";
import { createHealthServer } from "../../../src/server/health.ts";
import { createReadiness } from "../../../src/server/readiness.ts";

const METRICS = { contentType: "text/plain; version=0.0.4; charset=utf-8", text: async () => "up 1\n" };

test("a replica is ready from when its caches are filled and its server listens until it drains, and otherwise says why it is not", async () => {
  const missing = new Set(["leases", "pods"]);
  const readiness = createReadiness({ unsynced: () => [...missing] });
  const server = createHealthServer({ readiness, metrics: METRICS });
  async function get(url: string): Promise<[number, unknown]> {
    const { statusCode, body } = await server.inject({ url });
    return [statusCode, JSON.parse(body)];
  }

  expect(await get("/readyz")).toEqual([503, { reason: "not synced yet: leases, pods" }]);
  missing.clear();
  expect(await get("/readyz")).toEqual([503, { reason: expect.stringContaining("not serving yet") }]);
  readiness.serving();
  expect(await get("/readyz")).toEqual([200, { status: "ok" }]);
  readiness.drain();
  expect(await get("/readyz")).toEqual([503, { reason: expect.stringContaining("draining") }]);
  expect(await get("/healthz")).toEqual([200, { status: "ok" }]);
});

test("it tells its metrics whether it is ready or not", async () => {
  const server = createHealthServer({
    readiness: createReadiness({ unsynced: () => ["pods"] }),
    metrics: METRICS,
  });
  const { statusCode, headers, body } = await server.inject({ url: "/metrics" });
  expect([statusCode, headers["content-type"], body]).toEqual([
    200,
    METRICS.contentType,
    await METRICS.text(),
  ]);
});
