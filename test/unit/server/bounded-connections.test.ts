/** A client that opens connections without end leaves some for others, and may reopen what it closes. */
import { once } from "node:events";
import { createServer } from "node:https";
import { type AddressInfo, connect as connectPlain, type Socket } from "node:net";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { boundConnections } from "../../../src/server/bounds/bounded-connections.ts";
import { type Certificate, selfSigned } from "../gate/certificates.ts";

const LIMIT = 20;
/** A lone peer may have half of the limit. */
const SHARE = LIMIT / 2;

let certificate: Certificate;
beforeAll(() => {
  certificate = selfSigned();
});

async function serve() {
  const server = createServer(certificate, (_request, response) => response.end("here"));
  const { isCrowded } = boundConnections(server, LIMIT);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const address = (localAddress: string) => ({ host: "127.0.0.1", port, localAddress });
  function tidied<T extends Socket>(socket: T): T {
    socket.on("error", () => undefined);
    onTestFinished(() => void socket.destroy());
    return socket;
  }
  return {
    open: (from: string) =>
      tidied(connect({ ...address(from), servername: "localhost", ca: certificate.cert })),
    /** A connection that sends nothing, not even a TLS ClientHello. */
    openSilent: (from: string) => tidied(connectPlain(address(from))),
    connections: promisify(server.getConnections.bind(server)),
    isCrowded,
  };
}

/** Whether a request on the connection is answered; false if it was closed. */
async function isServed(socket: Socket): Promise<boolean> {
  socket.write("GET / HTTP/1.1\r\nhost: k\r\n\r\n");
  return new Promise((resolve) => {
    socket.once("data", () => resolve(true));
    socket.once("close", () => resolve(false));
  });
}

test("a peer's connections beyond its share are closed, and others are served", async () => {
  const { open, isCrowded } = await serve();
  const served = await Promise.all(Array.from({ length: 3 * LIMIT }, () => isServed(open("127.0.0.1"))));
  expect(served.filter(Boolean)).toHaveLength(SHARE);
  expect(isCrowded()).toBe(false);
  const others = ["127.0.0.2", "127.0.0.3"].map(open);
  expect(await Promise.all(others.map(isServed))).toEqual([true, true]);
  expect(await isServed(open("127.0.0.2"))).toBe(true);
  expect(isCrowded()).toBe(true);
});

test("closed connections can be replaced, even if they were closed before their handshake", async () => {
  const { open, openSilent, connections } = await serve();
  for (const _round of [1, 2, 3]) {
    const sockets = Array.from({ length: SHARE }, () => open("127.0.0.1"));
    expect(await Promise.all(sockets.map(isServed))).toEqual(sockets.map(() => true));
    expect(await isServed(open("127.0.0.1"))).toBe(false);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => connections()).toBe(0);
    const silent = Array.from({ length: SHARE }, () => openSilent("127.0.0.1"));
    await expect.poll(() => connections()).toBe(SHARE);
    for (const socket of silent) socket.destroy();
    await expect.poll(() => connections()).toBe(0);
  }
});
