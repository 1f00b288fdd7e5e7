/** How long a client listens to a silent server, by a simulated clock. An answer that keeps coming is read to its end. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { createKubeClient, type KubeClient } from "../../../src/kube/client.ts";
import { PODS } from "../../../src/kube/resources.ts";
import { type TurnedClock, turnedClock } from "../gate/turned-clock.ts";

const SILENCE_MS = 5_000;
const LIMITS = { timeoutMs: 60_000, silenceTimeoutMs: SILENCE_MS };
let kubeConfig: KubeConfig;
let clock: TurnedClock;
/** The number of times that a call began to wait for the next byte. */
let waits: number;
let client: KubeClient;
let asked = Promise.withResolvers<ServerResponse>();
const server = createServer((_, response) => asked.resolve(response));

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  kubeConfig = new KubeConfig();
  const cluster = { name: "c", server: `http://127.0.0.1:${port}`, skipTLSVerify: true };
  kubeConfig.loadFromClusterAndUser(cluster, { name: "u" });
});

afterAll(() => void server.close());

beforeEach(() => {
  asked = Promise.withResolvers();
  const turned = turnedClock();
  waits = 0;
  const after: TurnedClock["after"] = (delayMs, fire) => {
    if (delayMs === SILENCE_MS) waits++;
    return turned.after(delayMs, fire);
  };
  clock = { ...turned, after };
  client = createKubeClient({ kubeConfig, userAgent: "test", clock });
  return () => client.close();
});

const given = { code: "Unreachable", message: expect.stringContaining(`said nothing for ${SILENCE_MS} ms`) };

test("a page whose answer never comes is given up after the tolerated silence, and not before", async () => {
  const page = client.list(PODS, LIMITS);
  const refused = vi.fn();
  page.catch(refused);
  await asked.promise;
  await clock.turn(SILENCE_MS - 1);
  expect(refused).not.toHaveBeenCalled();
  await clock.turn(1);
  await expect(page).rejects.toMatchObject(given);
});

test("a page that stops in the middle is given up after the tolerated silence", async () => {
  const page = client.list(PODS, LIMITS);
  page.catch(() => undefined);
  const response = await asked.promise;
  response.writeHead(200, { "content-type": "application/json" });
  response.write('{"items":[');
  await expect.poll(() => waits).toBe(2);
  await clock.turn(SILENCE_MS);
  await expect(page).rejects.toMatchObject(given);
});

test("a page that keeps coming is read to its end, however long that takes", async () => {
  const page = client.list(PODS, LIMITS);
  const response = await asked.promise;
  response.writeHead(200, { "content-type": "application/json" });
  for (const part of ['{"metadata":{"resourceVersion":"7"},', '"items":[', "1,", "2", "]"]) {
    const before = waits;
    await clock.turn(SILENCE_MS - 1);
    response.write(part);
    await expect.poll(() => waits).toBeGreaterThan(before);
  }
  response.end("}");
  await expect(page).resolves.toMatchObject({ items: [1, 2], resourceVersion: "7" });
});
