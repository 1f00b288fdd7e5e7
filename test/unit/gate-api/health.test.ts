import { expect, test } from "vitest";
import { createHealthServer } from "../../../src/server/health.ts";
import { createReadiness } from "../../../src/server/readiness.ts";

test("a replica is ready from when its caches are filled and its server listens until it drains, and otherwise says why it is not", async () => {
  const missing = new Set(["leases", "pods"]);
  const readiness = createReadiness({ unsynced: () => [...missing] });
  const server = createHealthServer({ readiness });
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
