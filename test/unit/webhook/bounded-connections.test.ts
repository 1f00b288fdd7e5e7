/** Whoever opens connections without end leaves some for others, and gives back what it closes. */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { boundConnections } from "../../../src/webhook/bounded-connections.ts";

const LIMIT = 20;
/** A lone peer gets half. */
const SHARE = LIMIT / 2;

async function serve() {
  const server = createServer((_request, response) => response.end("here"));
  boundConnections(server, LIMIT);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return {
    open(localAddress: string): Socket {
      const socket = connect({ host: "127.0.0.1", port, localAddress });
      socket.on("error", () => undefined);
      onTestFinished(() => void socket.destroy());
      return socket;
    },
    connections: promisify(server.getConnections.bind(server)),
  };
}

/** Whether it is answered, or hung up on. */
async function isServed(socket: Socket): Promise<boolean> {
  socket.write("GET / HTTP/1.1\r\nhost: k\r\n\r\n");
  return new Promise((resolve) => {
    socket.once("data", () => resolve(true));
    socket.once("close", () => resolve(false));
  });
}

test("a peer that opens many is hung up on beyond its share, others are served", async () => {
  const { open } = await serve();
  const served = await Promise.all(Array.from({ length: 3 * LIMIT }, () => isServed(open("127.0.0.1"))));
  expect(served.filter(Boolean)).toHaveLength(SHARE);
  expect(await isServed(open("127.0.0.2"))).toBe(true);
});

test("what is closed can be opened again", async () => {
  const { open, connections } = await serve();
  for (const _round of [1, 2, 3]) {
    const sockets = Array.from({ length: SHARE }, () => open("127.0.0.1"));
    expect(await Promise.all(sockets.map(isServed))).toEqual(sockets.map(() => true));
    expect(await isServed(open("127.0.0.1"))).toBe(false);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => connections()).toBe(0);
  }
});
