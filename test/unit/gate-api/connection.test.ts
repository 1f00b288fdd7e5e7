/** When connections to a replica end, from gates, keepers and the API server. */
import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { PATH } from "../../../src/shared/names.ts";
import { createCaller } from "../../integration/gate-api/caller.ts";
import { type Certificate, selfSigned } from "../gate/certificates.ts";
import { LEASE } from "../gate/stage.ts";
import { openReplicaPair, POD, type ReplicaPair, TTL_MS } from "./replica-pair.ts";

let certificate: Certificate;
let pair: ReplicaPair;
beforeAll(() => {
  certificate = selfSigned();
});
beforeEach(async () => {
  pair = await openReplicaPair(certificate);
});
afterEach(() => pair.close());

test("a renewal is not written if its keeper has hung up before its turn", async () => {
  const { stage, ill, hold, turnUntil } = pair;
  pair.grant(POD.name, 41, { confirmed: true });
  await turnUntil(() => false, 100);
  pair.meetIllFirst(2);
  const answered = Promise.withResolvers<void>();
  ill.until = answered.promise;
  const gone = new AbortController();
  const renewal = { token: 41, ttlMs: TTL_MS, keeperSince: stage.context.momentOf(0) };
  // The first renewal is being written when the connections break, and the second has not begun.
  const renewals = [1, 2].map(() => {
    return stage.context.client.renew(renewal, { totalMs: TTL_MS, signal: gone.signal });
  });
  await turnUntil(() => ill.calls.length === 1 && ill.open() === 2, 2_000);
  gone.abort();
  await Promise.allSettled(renewals);
  await turnUntil(() => ill.open() === 0, 2_000);
  answered.resolve();
  await turnUntil(() => false, 200);
  expect([ill.calls, hold()?.renewals]).toEqual([["write leases"], 1]);
});

const BODY = { lease: LEASE, token: 41, ttlMs: TTL_MS };
/** The answer, and whether the next call to `path` uses the same connection. */
async function twice(path: string) {
  const { ill } = pair;
  const caller = createCaller(ill.url.replace("127.0.0.1", "localhost"), certificate.cert);
  const { status, headers } = await caller.post(path, "token", BODY);
  const before = ill.connections();
  await caller.post(path, "token", BODY);
  return { status, connection: headers.connection, isKept: ill.connections() === before };
}

test.each([PATH.acquire, PATH.renew, PATH.announce, PATH.release])(
  "an answer of %s that sends the caller to another replica ends the connection",
  async (path) => {
    await pair.turnUntil(() => false, 100);
    pair.ill.isCut = true;
    // The replica's caches are outdated after that time.
    await pair.stage.clock.turn(60_000);
    const { status, connection, isKept } = await twice(path);
    expect([status, connection, isKept]).toEqual([503, "close", false]);
  },
);

test("an answer about the caller does not end the connection", async () => {
  const { status, connection, isKept } = await twice(PATH.renew);
  expect([status, connection, isKept]).toEqual([409, undefined, true]);
});

test("a connection is not kept for a next call when there are many", async () => {
  await pair.close();
  pair = await openReplicaPair(certificate, 10);
  const { port } = new URL(pair.ill.url);
  const others = ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3", "127.0.0.4", "127.0.0.5"];
  const sockets = others.map((localAddress) =>
    connect({ host: "127.0.0.1", port: Number(port), localAddress }),
  );
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  const { status, connection, isKept } = await twice(PATH.renew);
  expect([status, connection, isKept]).toEqual([409, "close", false]);
  for (const socket of sockets) socket.destroy();
});

test("the API server's connections are kept, even when the replica is cut off", async () => {
  pair.ill.isCut = true;
  const { status, isKept } = await twice(PATH.mutate);
  expect([status, isKept]).toEqual([200, true]);
});

test("a request to a path that there is not is answered before its body has come", async () => {
  const { port } = new URL(pair.ill.url);
  const socket = connectTls({ host: "127.0.0.1", port: Number(port), rejectUnauthorized: false });
  const head = ["POST /none HTTP/1.1", "host: k", "content-type: text/plain", "content-length: 1000000"];
  socket.write(`${head.join("\r\n")}\r\n\r\nx`);
  const [answer] = await once(socket, "data");
  socket.destroy();
  expect(String(answer)).toMatch(/^HTTP\/1\.1 404 .*there is nothing at POST \/none/s);
});
