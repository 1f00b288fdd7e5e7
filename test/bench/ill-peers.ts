/**
 * What a peer with network reach alone can do to a replica. Runs as a process of its own and does as much harm as gets through, until it is ended.
 * usage: node test/bench/ill-peers.ts KIND PORT ADDRESSES   ADDRESSES: the number of peers, each with an address on loopback
 */
import { connect as connectTcp } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";
import { ADMISSION_BODY_LIMIT_BYTES } from "../../src/server/admission/plugin.ts";
import { PATH } from "../../src/shared/names.ts";

export const KINDS = ["idle", "stalled", "slow", "huge", "many"] as const;
type Kind = (typeof KINDS)[number];

const CONNECTIONS = 6_000;
/** Handshakes under way at a time: as many as one client can make without slowing itself down. */
const HANDSHAKES_AT_ONCE = 64;
const STALLED = 400;
const SLOW = 1_000;
const SLOW_EVERY_MS = 1_000;
const HUGE_AT_ONCE = 16;
const MANY_AT_ONCE = 32;
const FULL_STOP_MS = 100;

/** Connects from the next address in turn; undefined if the replica hangs up. */
type Open = () => Promise<TLSSocket | undefined>;

/** `addresses`: the number of peers, from 127.1.0.1 on. */
function opener(port: number, addresses: number): Open {
  let turn = 0;
  return () => {
    const localAddress = `127.1.0.${(turn++ % addresses) + 1}`;
    const tcp = connectTcp({ host: "127.0.0.1", port, localAddress });
    const socket = connect({ socket: tcp, rejectUnauthorized: false });
    return new Promise((resolve) => {
      for (const ended of [tcp, socket]) ended.on("error", () => resolve(undefined));
      tcp.once("close", () => {
        socket.destroy();
        resolve(undefined);
      });
      socket.once("secureConnect", () => resolve(socket));
    });
  };
}

const headOf = (path: string, bytes: number, more = "") =>
  `POST ${path} HTTP/1.1\r\nhost: konductor\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n${more}\r\n`;

/** An AdmissionReview of a labelled pod: the largest size that a replica reads, in many small values. */
function hugeReview(): string {
  const entry = { name: "A", value: "b" };
  const reviewOf = (count: number) =>
    JSON.stringify({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      request: {
        uid: "1",
        kind: { group: "", version: "v1", kind: "Pod" },
        namespace: "default",
        operation: "CREATE",
        object: {
          metadata: { labels: { "konductor.io/lease": "nightly" } },
          spec: { containers: [{ name: "main", image: "none", env: Array(count).fill(entry) }] },
        },
      },
    });
  const entryBytes = JSON.stringify(entry).length + 1;
  return reviewOf(Math.floor((ADMISSION_BODY_LIMIT_BYTES - reviewOf(0).length) / entryBytes));
}

/** Keeps `count` plays going: one that ends or fails is begun again. */
async function keepUp(count: number, play: () => Promise<void>): Promise<void> {
  const worker = async () => {
    for (;;) await play();
  };
  await Promise.all(Array.from({ length: count }, worker));
}

/** Plays on one connection until it is closed. Without a connection, returns after a short pause. */
async function onConnection(open: Open, play: (socket: TLSSocket) => void): Promise<void> {
  const socket = await open();
  if (!socket) return sleep(FULL_STOP_MS);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.resume();
  play(socket);
  await closed;
}

const PLAYS: Readonly<Record<Kind, (open: Open) => Promise<void>>> = {
  async idle(open) {
    let started = 0;
    await Promise.all(
      Array.from({ length: HANDSHAKES_AT_ONCE }, async () => {
        while (started++ < CONNECTIONS) (await open())?.resume();
      }),
    );
    await keepUp(HANDSHAKES_AT_ONCE, () => onConnection(open, () => {}));
  },
  stalled(open) {
    const review = hugeReview();
    const sent = headOf(PATH.mutate, review.length) + review.slice(0, -1);
    return keepUp(STALLED, () => onConnection(open, (socket) => void socket.write(sent)));
  },
  slow: (open) =>
    keepUp(SLOW, () =>
      onConnection(open, (socket) => {
        socket.write(headOf(PATH.renew, 1_000));
        const timer = setInterval(() => socket.write("x"), SLOW_EVERY_MS);
        socket.once("close", () => clearInterval(timer));
      }),
    ),
  huge(open) {
    const review = hugeReview();
    const sent = headOf(PATH.mutate, review.length) + review;
    return keepUp(HUGE_AT_ONCE, () =>
      onConnection(open, (socket) => {
        socket.on("data", (answer) => {
          if (answer.includes("HTTP/1.1")) socket.write(sent);
        });
        socket.write(sent);
      }),
    );
  },
  many(open) {
    let count = 0;
    return keepUp(MANY_AT_ONCE, () =>
      onConnection(open, (socket) => {
        const forged = `authorization: Bearer ${"x".repeat(1_000)}.${count++}\r\n`;
        socket.write(`${headOf(PATH.renew, 2, forged)}{}`);
        socket.once("data", () => socket.destroy());
      }),
    );
  },
};

if (import.meta.main) {
  const [wanted, port, addresses = "1"] = process.argv.slice(2);
  const kind = KINDS.find((known) => known === wanted);
  if (!kind) throw new Error(`KIND is one of ${KINDS.join(", ")}`);
  await PLAYS[kind](opener(Number(port), Number(addresses)));
}
