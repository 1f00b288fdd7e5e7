/** Many long request bodies at once cost a bounded amount of memory, and leave room for those of others. */
import { once } from "node:events";
import { request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { fastify } from "fastify";
import { expect, test } from "vitest";
import { ADMISSION_BODY_LIMIT_BYTES, admissionPlugin } from "../../../src/server/admission/plugin.ts";
import { boundBodies } from "../../../src/server/bounds/bounded-bodies.ts";
import { boundsFor } from "../../../src/server/bounds/bounds.ts";
import { createFairShare } from "../../../src/shared/fair-share.ts";
import { PATH } from "../../../src/shared/names.ts";
import { contextWith } from "../admission/fixtures.ts";

const ATTACKER = "127.0.0.1";
const HONEST = "127.0.0.2";
/** The shipped memory limit, which allows 64 MiB of incoming reviews. */
const MEMORY_BYTES = 512 * 1024 * 1024;
const ATTEMPTS = 40;
/** Half of that budget has room for six bodies. */
const MOST_KEPT = 6;

const review = (padding: number) => ({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: {
    uid: "u",
    kind: { group: "", version: "v1", kind: "ConfigMap" },
    operation: "CREATE",
    userInfo: { username: "ada" },
    object: { padding: "x".repeat(padding) },
  },
});

async function serve() {
  const app = fastify();
  app.register(admissionPlugin(contextWith(), boundsFor(MEMORY_BYTES)));
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return { app, port };
}

async function post(port: number, localAddress: string, padding: number): Promise<number | undefined> {
  const options = { host: "127.0.0.1", port, localAddress, path: PATH.mutate, method: "POST", agent: false };
  const sent = request({ ...options, headers: { "content-type": "application/json" } });
  sent.end(JSON.stringify(review(padding)));
  const [answer] = await once(sent, "response");
  answer.resume();
  return answer.statusCode;
}

test("bodies that stop one byte short are kept up to a share, others are served, and the memory is given back", async () => {
  const { app, port } = await serve();
  let refused = 0;
  const sockets = Array.from({ length: ATTEMPTS }, () => {
    const socket = connect({ host: "127.0.0.1", port, localAddress: ATTACKER });
    socket.on("error", () => undefined);
    socket.once("data", (data) => {
      if (data.toString().startsWith("HTTP/1.1 503")) refused++;
    });
    socket.write(
      `POST ${PATH.mutate} HTTP/1.1\r\nhost: k\r\ncontent-type: application/json\r\ncontent-length: ${ADMISSION_BODY_LIMIT_BYTES}\r\n\r\n`,
    );
    socket.write("x".repeat(ADMISSION_BODY_LIMIT_BYTES - 1));
    return socket;
  });
  await expect.poll(() => refused, { timeout: 20_000 }).toBeGreaterThanOrEqual(ATTEMPTS - MOST_KEPT);
  expect(await post(port, HONEST, 3 * 1024 * 1024)).toBe(200);
  for (const socket of sockets) socket.destroy();
  const isFree = async () =>
    (await Promise.all(Array.from({ length: 5 }, () => post(port, ATTACKER, 4 * 1024 * 1024)))).every(
      (status) => status === 200,
    );
  await expect.poll(isFree, { timeout: 20_000 }).toBe(true);
  await app.close();
});

const TOTAL_BYTES = 1024 * 1024;
const LIMIT_BYTES = 16 * 1024;

/** A server like ours, which keeps a connection open after it refused a body, and discards the rest of that body. */
async function serveBounded(until: "received" | "answered") {
  const budget = createFairShare(TOTAL_BYTES);
  const app = fastify({ bodyLimit: LIMIT_BYTES });
  app.addHook("preParsing", boundBodies({ budget, refuse: () => new Error("too much"), until }));
  app.addHook("onSend", (_request, reply, payload, done) => {
    reply.removeHeader("connection");
    done(null, payload);
  });
  const waiting: (() => void)[] = [];
  app.post("/wait", (_request, reply) => {
    waiting.push(() => reply.send("done"));
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return { app, port, budget, waiting };
}

test.each(["received", "answered"] as const)(
  "bytes that come after the answer are not counted: %s",
  async (until) => {
    const { app, port, budget } = await serveBounded(until);
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("error", () => undefined);
    const answered = once(socket, "data");
    socket.write(
      "POST /wait HTTP/1.1\r\nhost: k\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    const chunk = "x".repeat(LIMIT_BYTES);
    const send = () =>
      new Promise<void>(
        (resolve) => void socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`, () => resolve()),
      );
    await send();
    await send();
    expect(String((await answered)[0])).toContain("HTTP/1.1 413");
    for (let index = 0; index < 20; index++) await send();
    // All that was sent has arrived once a later request on the connection is answered.
    const next = once(socket, "data");
    socket.write("0\r\n\r\nGET /none HTTP/1.1\r\nhost: k\r\n\r\n");
    expect(String((await next)[0])).toContain("HTTP/1.1 404");
    expect(budget.used()).toBe(0);
    socket.destroy();
    await app.close();
  },
);

test.each([
  ["received", 0],
  ["answered", 7],
] as const)("a body with a slow answer counts until it is %s", async (until, bytes) => {
  const { app, port, budget, waiting } = await serveBounded(until);
  const socket = connect({ host: "127.0.0.1", port });
  const answered = once(socket, "data");
  socket.write(
    'POST /wait HTTP/1.1\r\nhost: k\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{"a":1}',
  );
  await expect.poll(() => waiting.length, { timeout: 20_000 }).toBe(1);
  expect(budget.used()).toBe(bytes);
  waiting[0]?.();
  await answered;
  await expect.poll(() => budget.used()).toBe(0);
  socket.destroy();
  await app.close();
});
