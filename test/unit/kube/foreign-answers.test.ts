/** Which answers the client believes. Its calls are tested on a real API server (test/integration/kube). */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createKubeClient, type KubeClient } from "../../../src/kube/client.ts";
import { find } from "../../../src/kube/find.ts";
import { PODS } from "../../../src/kube/resources.ts";
import { parsePod } from "../../../src/lease/pod.ts";

const POD = { namespace: "ns", name: "run-1" };
let answer: { status: number; body: unknown };
let client: KubeClient;
const calls: unknown[] = [];
const server = createServer((_, response) => {
  const isPage = typeof answer.body === "string";
  response.writeHead(answer.status, { "content-type": isPage ? "text/html" : "application/json" });
  response.end(isPage ? answer.body : JSON.stringify(answer.body));
});

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const kubeConfig = new KubeConfig();
  const cluster = { name: "c", server: `http://127.0.0.1:${port}`, skipTLSVerify: true };
  kubeConfig.loadFromClusterAndUser(cluster, { name: "u" });
  client = createKubeClient({ kubeConfig, userAgent: "test", onCall: (call) => calls.push(call) });
});

afterAll(async () => {
  await client.close();
  server.close();
});

const gone = (details: object) => ({ kind: "Status", reason: "NotFound", details });
const look = () => find(client, PODS, POD, parsePod);

test("a pod is gone if the API server says so about that pod", async () => {
  answer = { status: 404, body: gone({ kind: "pods", name: POD.name }) };
  await expect(look()).resolves.toBeUndefined();
});

test.each<[string, number, unknown]>([
  ["a proxy's 404", 404, "<html>no such host</html>"],
  ["a 404 about another object", 404, gone({ kind: "pods", name: "run-2" })],
  ["a proxy's page", 200, "<html>log in</html>"],
  ["an empty object", 200, {}],
  ["another object", 200, { kind: "Pod", metadata: { ...POD, name: "run-2" } }],
])("a pod is not gone because of %s", async (_, status, body) => {
  answer = { status, body };
  await expect(look()).rejects.toThrow("cannot get pod ns/run-1");
});

test.each<[string, unknown]>([
  ["longer than any error of the API server", "x".repeat(2 ** 21)],
  ["not JSON, although its header says so", undefined],
])("an error that is %s is judged by its HTTP status", async (_, body) => {
  answer = { status: 503, body };
  const failed = { code: "Unreachable", message: expect.stringContaining("no reason given (HTTP 503)") };
  for (const call of [look, () => client.list(PODS)]) await expect(call()).rejects.toMatchObject(failed);
});

test.each<[string, () => Promise<unknown>]>([
  ["a deletion", () => client.delete(PODS, POD)],
  ["a list", () => client.list(PODS)],
  ["a write", () => client.replaceStatus(PODS, { metadata: POD })],
])("%s does not succeed because of a proxy's page", async (_, call) => {
  answer = { status: 200, body: "<html>log in</html>" };
  await expect(call()).rejects.toMatchObject({ code: "Unreachable" });
});

test("each call is told of once, by its verb and what it was answered", async () => {
  calls.length = 0;
  answer = { status: 200, body: { kind: "Pod", metadata: { ...POD, resourceVersion: "1" }, items: [] } };
  const signal = AbortSignal.timeout(5_000);
  await client.get(PODS, POD);
  await client.list(PODS);
  await client.create(PODS, { metadata: POD });
  await client.replaceStatus(PODS, { metadata: POD });
  await client.patch(PODS, POD, {}, { type: "merge" });
  await client.raw("GET", "/version");
  await expect(client.watch(PODS, {}, signal)[Symbol.asyncIterator]().next()).rejects.toThrow("broke");
  answer = { status: 409, body: {} };
  await expect(client.delete(PODS, POD)).rejects.toThrow("409");
  expect(calls).toEqual([
    ...["get", "list", "create", "update", "patch", "get", "watch"].map((verb) => ({ verb, status: 200 })),
    { verb: "delete", status: 409 },
  ]);
});

test("a call that was not answered is told of, too", async () => {
  calls.length = 0;
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromClusterAndUser(
    { name: "c", server: "http://127.0.0.1:1", skipTLSVerify: true },
    { name: "u" },
  );
  const cutOff = createKubeClient({ kubeConfig, userAgent: "test", onCall: (call) => calls.push(call) });
  await expect(cutOff.get(PODS, POD)).rejects.toThrow("connection");
  expect(calls).toEqual([{ verb: "get", status: undefined }]);
  await cutOff.close();
});
