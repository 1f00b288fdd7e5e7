/** Two replicas behind one address. A new connection reaches the ill one by chance, here several times in a row. A kept connection always does. */
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { runAnnounce } from "../../../src/gate/keeping/announce.ts";
import { runKeeper } from "../../../src/gate/keeping/keeper.ts";
import { runGate } from "../../../src/gate/waiting/gate.ts";
import { CONFIRM_WITHIN_MS } from "../../../src/lease/decision.ts";
import { EXIT, PATH } from "../../../src/shared/names.ts";
import { type Certificate, selfSigned } from "./certificates.ts";
import {
  json,
  type Reply,
  raw,
  type ScriptedServer,
  scriptedServer,
  silent,
  stream,
} from "./scripted-server.ts";
import { type SpreadingProxy, spreadingProxy } from "./spreading-proxy.ts";
import { openStage, STOP_MS, type Stage } from "./stage.ts";

/** The shortest ttl that a pod may have. */
const TTL_MS = 15_000;
const RENEWED = { token: 41, ttlMs: TTL_MS, renewals: 1 };
/** The chance of five in a row is 1 in 32. */
const FIRST_MEET_ILL = 5;
const AGAIN = { "retry-after": "60" };

const ILL: [string, Reply][] = [
  ["503 of a replica that is cut off", json({ reason: "NotReady", message: "try again" }, 503, AGAIN)],
  ["503 whose connection a middlebox keeps", json({ reason: "NotReady" }, 503, { connection: "keep-alive" })],
  ["429 of a full replica", json({ reason: "TooManyRequests", elsewhere: true }, 429, AGAIN)],
  ["429 of a full replica that is older", json({ reason: "TooManyRequests" }, 429, AGAIN)],
  ["500", json({ reason: "Internal" }, 500)],
  ["401 of a replica whose API server does not know the pod yet", json({ reason: "Unauthenticated" }, 401)],
  ["404", json({ reason: "NotFound" }, 404)],
  ["something that is not konductor's, with 200", raw("<html>")],
  ["something that is not konductor's, with 403", ({ response }) => response.writeHead(403).end("<html>")],
  ["something that is not konductor's, with 409", ({ response }) => response.writeHead(409).end("<html>")],
];
const SOME = ILL.filter(([what]) => /cut off|full|with 200/.test(what));

let certificate: Certificate;
let ill: ScriptedServer;
let well: ScriptedServer;
let proxy: SpreadingProxy;
let stage: Stage;
let meetIll: number;
let illUrl: string | undefined;
beforeAll(() => {
  certificate = selfSigned();
});
beforeEach(async () => {
  [ill, well] = await Promise.all([scriptedServer(certificate), scriptedServer(certificate)]);
  meetIll = FIRST_MEET_ILL;
  illUrl = ill.url;
  proxy = await spreadingProxy((connection) =>
    connection < meetIll ? { server: 0, url: illUrl } : { server: 1, url: well.url },
  );
  stage = await openStage(certificate, { url: proxy.url });
  well.play(PATH.renew, json(RENEWED));
  well.play(PATH.release, json({ released: true }));
});
afterEach(async () => {
  await stage.close();
  await Promise.all([proxy.close(), ill.close(), well.close()]);
});

/** Turns the clock until `holds` or for `ms`, slowly enough for connections to be made. */
async function turnUntil(holds: () => boolean, ms: number, stepMs = 20): Promise<void> {
  for (let turned = 0; !holds() && turned < ms; turned += stepMs) {
    await stage.clock.turn(stepMs);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function socketsOf(server: ScriptedServer, path: string): number {
  return new Set(server.requests(path).map(({ response }) => response.req.socket)).size;
}

/** A keeper whose renewal is due in 100 ms and whose pod would be fenced in 5 s. */
function keep() {
  const { deadline } = stage.hold({ ttlMs: TTL_MS, deadline: stage.clock.monotonicMs() + 10_100 });
  const exit = runKeeper(stage.context, stage.termination);
  return { deadline, exit, isRenewed: () => (stage.stored()?.deadline ?? 0) > deadline };
}

test.each(ILL)(
  "a keeper with a ttl of 15s that gets %s is renewed by the other replica",
  async (_what, answer) => {
    ill.play(PATH.renew, answer);
    const { exit, isRenewed } = keep();
    await turnUntil(isRenewed, TTL_MS - STOP_MS);
    expect(stage.stored()?.state).toBe("held");
    expect(isRenewed()).toBe(true);
    // Each try used a new connection.
    expect(ill.requests(PATH.renew)).toHaveLength(FIRST_MEET_ILL);
    expect(socketsOf(ill, PATH.renew)).toBe(FIRST_MEET_ILL);
    stage.terminate();
    expect(await exit).toBe(EXIT.done);
  },
);

test("a keeper with a ttl of 15s is renewed, although a stopped replica accepts its connections", async () => {
  illUrl = undefined;
  const { exit, isRenewed } = keep();
  await turnUntil(isRenewed, TTL_MS - STOP_MS);
  expect([isRenewed(), stage.stored()?.state]).toEqual([true, "held"]);
  stage.terminate();
  await exit;
});

test("a keeper whose kept connection leads to a stopped replica goes on by a new connection", async () => {
  ill.play(PATH.renew, json(RENEWED), silent);
  meetIll = 1;
  const first = keep();
  await turnUntil(first.isRenewed, TTL_MS);
  const renewedMs = stage.stored()?.deadline ?? 0;
  await turnUntil(() => (stage.stored()?.deadline ?? 0) > renewedMs, TTL_MS);
  expect(stage.stored()).toMatchObject({ state: "held" });
  expect(well.requests(PATH.renew)).toHaveLength(1);
  // The silent try has lost, and is not awaited.
  const lost = ill.requests(PATH.renew)[1]?.response.req.socket;
  await expect.poll(() => lost?.destroyed).toBe(true);
  stage.terminate();
  await first.exit;
});

test("another address is tried after an ill replica's answer", async () => {
  ill.play(PATH.renew, json({ reason: "NotReady" }, 503));
  stage.context.route.learn({ ca: undefined, urls: [ill.url, well.url] });
  const { exit, isRenewed } = keep();
  await turnUntil(isRenewed, TTL_MS - STOP_MS);
  expect([ill.requests(PATH.renew).length, well.requests(PATH.renew).length]).toEqual([1, 1]);
  stage.terminate();
  await exit;
});

test("a keeper tries often enough while no replica can work, but not ever faster", async () => {
  meetIll = Number.POSITIVE_INFINITY;
  ill.play(PATH.renew, json({ reason: "NotReady" }, 503));
  const { exit } = keep();
  await turnUntil(() => stage.stored()?.state === "lost", TTL_MS);
  expect(await exit).toBe(EXIT.fenced);
  const tries = ill.requests(PATH.renew).length;
  expect(tries).toBeGreaterThanOrEqual(16);
  expect(tries).toBeLessThanOrEqual(50);
});

test.each(SOME)("a release that gets %s reaches the other replica", async (_what, answer) => {
  ill.play(PATH.release, answer);
  stage.hold();
  const exit = runKeeper(stage.context, stage.termination);
  stage.terminate();
  await turnUntil(() => well.requests(PATH.release).length > 0, 20_000);
  expect(await exit).toBe(EXIT.done);
  expect(socketsOf(ill, PATH.release)).toBe(FIRST_MEET_ILL);
  expect(stage.lines.at(-1)).toMatch(/released$/);
});

test("an announcement that an ill replica refuses reaches the other replica", async () => {
  meetIll = 1;
  ill.play(PATH.announce, json({ reason: "NotReady" }, 503));
  well.play(PATH.announce, json({}));
  stage.hold();
  const end = runAnnounce(stage.context, stage.clock.monotonicMs());
  await ill.received(PATH.announce);
  await stage.clock.waitedFor(50);
  await stage.clock.turn(50);
  await end;
  expect(well.requests(PATH.announce)).toHaveLength(1);
});

test.each<[string, Reply]>([
  ...SOME,
  ["a line that sends it away", stream([{ state: "reconnect" }], { end: true })],
  ["a stream that ends without a line", stream([], { end: true })],
])("a gate that gets %s queues and confirms at the other replica", async (_what, answer) => {
  ill.play(PATH.acquire, answer);
  ill.play(PATH.renew, answer);
  well.play(PATH.acquire, stream([{ state: "granted", token: 41, ttlMs: TTL_MS }], { end: true }));
  let code: number | undefined;
  const exit = runGate(stage.context, stage.termination.signal).then((ended) => {
    code = ended;
  });
  await turnUntil(() => code !== undefined, 10_000);
  await exit;
  expect(code).toBe(EXIT.done);
  expect(socketsOf(ill, PATH.acquire)).toBe(FIRST_MEET_ILL);
});

test("a gate that every replica sends away comes back ever less often, but in time to confirm a grant", async () => {
  meetIll = Number.POSITIVE_INFINITY;
  ill.play(PATH.acquire, json({ reason: "NotReady" }, 503));
  const exit = runGate(stage.context, stage.termination.signal).catch(() => "ended");
  const { clock } = stage;
  const cameAtMs: number[] = [];
  for (let count = 1; count <= 10; count++) {
    await turnUntil(() => ill.requests(PATH.acquire).length === count, 20_000, 100);
    cameAtMs.push(clock.monotonicMs());
  }
  const pausesMs = cameAtMs.slice(1).map((ms, index) => ms - (cameAtMs[index] ?? 0));
  expect(Math.max(...pausesMs.slice(0, 4))).toBeLessThan(2_000);
  expect(Math.min(...pausesMs.slice(-2))).toBeGreaterThan(2_000);
  expect(Math.max(...pausesMs)).toBeLessThan(CONFIRM_WITHIN_MS / 2 + 200);
  stage.terminate();
  expect(await exit).toBe("ended");
});
