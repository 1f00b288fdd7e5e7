import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
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

async function listen() {
  let pages = 0;
  async function text(): Promise<string> {
    pages++;
    return "x".repeat(40_000);
  }
  const readiness = createReadiness({ unsynced: () => [] });
  const app = createHealthServer({ readiness, metrics: { ...METRICS, text } });
  let [accepted, open, mostAtOnce] = [0, 0, 0];
  app.server.on("connection", (socket) => {
    accepted++;
    // It was refused.
    if (socket.destroyed) return;
    mostAtOnce = Math.max(mostAtOnce, ++open);
    socket.once("close", () => open--);
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  /** A connection that sends `message` and reads nothing. */
  function openOne(localAddress: string, message = "") {
    const socket = connect({ host: "127.0.0.1", port, localAddress }).on("error", () => undefined);
    onTestFinished(() => void socket.destroy());
    socket.write(message);
    return socket.pause();
  }
  onTestFinished(() => app.close());
  return {
    open: openOne,
    mostAtOnce: () => mostAtOnce,
    pages: () => pages,
    accepted: () => accepted,
    connections: promisify(app.server.getConnections.bind(app.server)),
  };
}

const LONG = { timeout: 20_000 };
const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: k\r\n\r\n`;

test("whoever asks for thousands of pages at once and reads none gets one on each of a few connections", async () => {
  const { open, pages, accepted, connections, mostAtOnce } = await listen();
  for (let i = 0; i < 50; i++) open("127.0.0.1", get("/metrics").repeat(100));
  await expect.poll(accepted, LONG).toBe(50);
  await expect.poll(() => connections(), LONG).toBe(0);
  expect(pages()).toBeLessThanOrEqual(50);
  expect(mostAtOnce()).toBeLessThanOrEqual(32);
}, 30_000);

test("whoever keeps connections leaves some to the kubelet, and loses them when nothing moves on them", async () => {
  const { open, accepted, connections } = await listen();
  for (let i = 0; i < 50; i++) open("127.0.0.1", i % 2 ? get("/metrics") : "");
  await expect.poll(accepted, LONG).toBe(50);
  const kubelet = open("127.0.0.2", get("/healthz"));
  const [answer] = await once(kubelet.resume(), "data");
  expect(String(answer)).toMatch(/^HTTP\/1\.1 200 .*\r\nconnection: close\r\n/is);
  await expect.poll(() => connections(), LONG).toBe(0);
}, 30_000);
