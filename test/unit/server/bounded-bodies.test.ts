/** Many long bodies at once cost a bounded amount of memory, and leave room for others'. */
import { once } from "node:events";
import { request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { fastify } from "fastify";
import { expect, test } from "vitest";
import { ADMISSION_BODY_LIMIT_BYTES, admissionPlugin } from "../../../src/server/admission/plugin.ts";
import { boundsFor } from "../../../src/server/bounds/bounds.ts";
import { PATH } from "../../../src/shared/names.ts";
import { contextWith } from "../admission/fixtures.ts";

const ATTACKER = "127.0.0.1";
const HONEST = "127.0.0.2";
/** As shipped: 64 MiB of reviews may be coming in. */
const MEMORY_BYTES = 512 * 1024 * 1024;
const ATTEMPTS = 40;
/** Half of the budget has room for six of them. */
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

test("bodies that stop one byte short are kept up to a share, others are taken, and what was kept is given back", async () => {
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
