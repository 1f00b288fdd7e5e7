/** How many connections a client opens to a server that does not answer, and what is sent nevertheless. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createKubeClient, type KubeClient } from "../../../src/kube/client.ts";
import { createLeaderElector } from "../../../src/kube/leader-election.ts";
import { PODS } from "../../../src/kube/resources.ts";
import { systemClock } from "../../../src/shared/clock.ts";
import { createLogger } from "../../../src/shared/log.ts";

const MOST = 8;
const PATIENT = { timeoutMs: 60_000 };
/** Requests without an answer, by the last part of their path. */
const open = new Map<string, ServerResponse>();
const waiting = new Set<() => void>();
let client: KubeClient;
let connections = 0;
const over = new AbortController();
const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "", "http://server");
  const name = searchParams.has("watch") ? "watch" : (pathname.split("/").at(-1) ?? "");
  open.set(name, response);
  for (const tell of waiting) tell();
  response.on("close", () => open.delete(name));
});
server.on("connection", () => connections++);

beforeEach(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const kubeConfig = new KubeConfig();
  const cluster = { name: "c", server: `http://127.0.0.1:${port}`, skipTLSVerify: true };
  kubeConfig.loadFromClusterAndUser(cluster, { name: "u" });
  client = createKubeClient({ kubeConfig, userAgent: "test", mostCalls: MOST });
});

afterEach(() => {
  over.abort();
  server.closeAllConnections();
  server.close();
});

function answer(name: string): void {
  const response = open.get(name);
  open.delete(name);
  response?.writeHead(200, { "content-type": "application/json" });
  response?.end(JSON.stringify({ kind: "Pod", metadata: { name } }));
}

/** Resolves when the server has been asked all that. */
async function isAsked(...names: string[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = () => names.every((name) => open.has(name)) && resolve();
  waiting.add(look);
  look();
  await promise;
  waiting.delete(look);
}

const asked = () => [...open.keys()].sort();

test("calls about one namespace wait for a turn; those about others, watches and the election do not", async () => {
  const names = Array.from({ length: 20 }, (_, index) => `a${index}`);
  const gets = names.map((name) => client.get(PODS, { namespace: "a", name }, undefined, PATIENT));
  for (const get of gets) get.catch(() => undefined);
  await isAsked("a0", "a1", "a2", "a3");

  const other = client.get(PODS, { namespace: "b", name: "b0" }, undefined, PATIENT);
  await isAsked("b0");
  answer("b0");
  await expect(other).resolves.toMatchObject({ metadata: { name: "b0" } });

  const watch = client.watch(PODS, {}, over.signal)[Symbol.asyncIterator]().next();
  watch.catch(() => undefined);
  await isAsked("watch");
  void createLeaderElector({
    ...{ client, namespace: "a", name: "election", identity: "me", clock: systemClock() },
    logger: createLogger({ level: "silent" }),
    onStartedLeading: async () => undefined,
  }).run(over.signal);
  await isAsked("election");
  expect(asked()).toEqual(["a0", "a1", "a2", "a3", "election", "watch"]);
  expect(connections).toBeLessThanOrEqual(MOST / 2 + 3);

  // One that has no turn within its time is given up, and never sent.
  const late = client.get(PODS, { namespace: "a", name: "late" }, undefined, { timeoutMs: 1 });
  await expect(late).rejects.toMatchObject({
    code: "Unreachable",
    message: "cannot get pod a/late: too many other calls were under way for 1 ms",
  });
  for (const name of names) {
    await isAsked(name);
    answer(name);
  }
  await Promise.all(gets);
  expect(asked()).not.toContain("late");
});
