import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeAll, expect, test } from "vitest";
import type { GateConfig } from "../../../src/gate/config.ts";
import { runGate } from "../../../src/gate/waiting/gate.ts";
import { EXIT, PATH } from "../../../src/shared/names.ts";
import { type Certificate, selfSigned } from "./certificates.ts";
import { json, raw, silent, stream } from "./scripted-server.ts";
import { GATE_RUN, LEASE, openStage, type Stage, TTL_MS } from "./stage.ts";

const WAITING = {
  state: "waiting",
  position: 3,
  turn: "in 4m to 25m",
  of: 7,
  holder: "report-x7k2p",
  since: "2026-01-01T02:00:11.123456Z",
  expires: "2026-01-01T02:30:11Z",
};
const GRANTED = { state: "granted", token: 41, ttlMs: TTL_MS, renewEveryMs: TTL_MS / 3 };
const RENEWED = { token: 41, ttlMs: TTL_MS, renewals: 0 };

let certificate: Certificate;
let stage: Stage;
beforeAll(() => {
  certificate = selfSigned();
});
afterEach(() => stage.close());

async function start(changes: Partial<GateConfig> = {}): Promise<Stage> {
  stage = await openStage(certificate, changes);
  stage.server.play(PATH.acquire, stream([GRANTED], { end: true }));
  stage.server.play(PATH.renew, json(RENEWED));
  return stage;
}
const run = (): Promise<number> => runGate(stage.context, stage.termination.signal);

test("a grant is confirmed, and its deadline counts from when the confirmation was sent", async () => {
  const { server, clock, stored, lines } = await start();
  server.play(PATH.acquire, stream([WAITING, GRANTED]));
  server.play(PATH.renew, silent);
  const exit = run();
  const confirmation = await server.received(PATH.renew);
  const sentMs = clock.monotonicMs();
  expect(confirmation.body).toEqual({ lease: LEASE, token: 41, ttlMs: TTL_MS, gateRun: GATE_RUN });
  expect(confirmation.authorization).toBe("Bearer pod-token");
  expect(stored()).toBeUndefined();
  await clock.turn(3_000);
  json({ ...RENEWED, ttlMs: 60_000, ca: certificate.cert, urls: [server.url] })(confirmation);
  expect(await exit).toBe(EXIT.done);
  expect(stored()).toEqual({
    lease: LEASE,
    token: 41,
    ttlMs: 60_000,
    deadline: sentMs + 60_000,
    state: "held",
    ca: certificate.cert,
    urls: [server.url],
  });
  expect(readFileSync(stage.context.config.terminationLogPath, "utf8")).toMatch(/^acquired 41 in \S+$/);
  expect(lines).toContain(
    `waiting for klease ${LEASE}: position 3 of 7, held by report-x7k2p since 02:00:11, expires 02:30:11, its turn probably comes in 4m to 25m`,
  );
});

test("a confirmation without a quick answer is sent again, and the first answer counts from when its confirmation was sent", async () => {
  const { server, clock, stored } = await start();
  server.play(PATH.renew, silent);
  const exit = run();
  const first = await server.received(PATH.renew);
  const sentMs = clock.monotonicMs();
  await clock.turn(624);
  expect(server.requests(PATH.renew)).toHaveLength(1);
  await clock.turn(1);
  const second = await server.received(PATH.renew, 2);
  const closed = new Promise((resolve) => second.response.once("close", resolve));
  json(RENEWED)(first);
  expect(await exit).toBe(EXIT.done);
  expect(stored()?.deadline).toBe(sentMs + TTL_MS);
  await closed;
});

test("a machine that sleeps through the ttl after its confirmation confirms again", async () => {
  const { server, clock, context, stored } = await start();
  server.play(PATH.renew, silent, json(RENEWED));
  let sleptMs = 0;
  context.bootMs = () => clock.monotonicMs() + sleptMs;
  const exit = run();
  const confirmation = await server.received(PATH.renew);
  sleptMs = TTL_MS;
  json(RENEWED)(confirmation);
  expect(await exit).toBe(EXIT.done);
  expect(server.requests(PATH.renew)).toHaveLength(2);
  expect(stored()?.deadline).toBe(context.bootMs() + TTL_MS);
});

test("a grant that was taken back before it was confirmed sends the gate back to the queue", async () => {
  const { server, clock } = await start();
  server.play(PATH.renew, json({ reason: "NotHolder", message: "another pod holds it" }, 409), json(RENEWED));
  const exit = run();
  await server.received(PATH.renew);
  await untilLogged("taken back");
  await clock.turn(1_000);
  expect(await exit).toBe(EXIT.done);
  expect(server.requests(PATH.acquire)).toHaveLength(2);
});

test("a connection ends after 20 s of silence, not earlier, and the gate reconnects", async () => {
  const { server, clock } = await start();
  server.play(PATH.acquire, stream([WAITING]), stream([GRANTED]));
  const exit = run();
  const first = await server.received(PATH.acquire);
  await untilLogged("position 3");
  const closed = new Promise((resolve) => first.response.once("close", resolve));
  await clock.turn(19_999);
  expect(server.requests(PATH.acquire)).toHaveLength(1);
  await clock.turn(1);
  await closed;
  await untilLogged("silent");
  await clock.turn(5_000);
  expect(await exit).toBe(EXIT.done);
});

test("an unchanged place in the queue is logged once a minute", async () => {
  const { server, clock, lines } = await start();
  server.play(PATH.acquire, stream([WAITING]));
  const exit = run();
  const { response } = await server.received(PATH.acquire);
  await untilLogged("position 3");
  const again = async (): Promise<void> => {
    await clock.turn(15_000);
    const arrived = clock.waitedFor(20_000);
    response.write(`${JSON.stringify(WAITING)}\n`);
    await arrived;
  };
  for (let i = 0; i < 3; i++) await again();
  expect(lines.filter((line) => line.includes("position 3"))).toHaveLength(1);
  await again();
  await expect.poll(() => lines.filter((line) => line.includes("position 3")).length).toBe(2);
  response.end(`${JSON.stringify(GRANTED)}\n`);
  expect(await exit).toBe(EXIT.done);
});

test("a draining replica sends the gate to another connection at once, which is not logged as trouble", async () => {
  const { server, clock, lines } = await start();
  server.play(PATH.acquire, stream([{ state: "reconnect" }], { end: true }), stream([GRANTED]));
  const exit = run();
  await expect.poll(() => clock.turn(50).then(() => server.requests(PATH.acquire).length)).toBe(2);
  expect(await exit).toBe(EXIT.done);
  expect(lines.join()).not.toContain("trying again");
});

test("a gate that is sent away repeatedly slows down", async () => {
  const { server, clock } = await start();
  server.play(PATH.acquire, stream([{ state: "reconnect" }], { end: true }));
  const exit = run().catch(() => "ended");
  const untilMs = async (count: number): Promise<number> => {
    const arrived = (): Promise<number> => clock.turn(100).then(() => server.requests(PATH.acquire).length);
    await expect.poll(arrived, { interval: 5 }).toBe(count);
    return clock.nowMs();
  };
  expect((await untilMs(2)) - 1_000_000).toBeLessThan(500);
  const [before, after] = [await untilMs(7), await untilMs(8)];
  expect(after - before).toBeGreaterThan(2_000);
  stage.terminate();
  expect(await exit).toBe("ended");
});

test("a lost hold is reported until the report is answered, and then the pod queues again", async () => {
  const { server, clock, hold, stored } = await start();
  hold({ state: "lost", token: 40 });
  server.play(PATH.acquire, json({}, 503), stream([WAITING], { end: true }), stream([GRANTED]));
  const exit = run();
  for (const count of [1, 2]) {
    await server.received(PATH.acquire, count);
    await clock.waitedFor(1);
    await untilLogged(count === 1 ? "503" : "position 3");
    await clock.turn(5_000);
  }
  expect(await exit).toBe(EXIT.done);
  const reported = server.requests(PATH.acquire).map(({ body }) => body["lostToken"]);
  expect(reported).toEqual([40, 40, undefined]);
  expect(stored()).toMatchObject({ state: "held", token: 41 });
});

test("a pod that may not rerun reports its lost hold and fails, whatever the answer", async () => {
  const { server, hold } = await start({ rerun: false });
  hold({ state: "lost", token: 40 });
  expect(await run()).toBe(EXIT.lost);
  expect(server.requests(PATH.acquire).map(({ body }) => body["lostToken"])).toEqual([40]);
  expect(server.requests(PATH.renew)).toEqual([]);
});

test("a pod that may not rerun fails after 10 s when its report is not answered", async () => {
  const { server, clock, hold } = await start({ rerun: false });
  hold({ state: "lost" });
  server.play(PATH.acquire, silent);
  const exit = run();
  await server.received(PATH.acquire);
  await clock.turn(10_000);
  expect(await exit).toBe(EXIT.lost);
});

test("a stored hold that is not marked as lost is requested anew by the gate, not resumed", async () => {
  const { server, hold, stored } = await start({ rerun: false });
  hold({ token: 40 });
  expect(await run()).toBe(EXIT.done);
  expect(server.requests(PATH.acquire)[0]?.body).toEqual({ lease: LEASE, gateRun: GATE_RUN });
  expect(stored()?.token).toBe(41);
});

test.each([
  ["TimedOut", EXIT.refused],
  ["HoldLost", EXIT.lost],
])("a denial with %s ends the gate with %i, and the pod's status shows why", async (reason, code) => {
  const { server, lines, context } = await start();
  server.play(PATH.acquire, stream([{ state: "denied", reason, message: "waited long enough" }]));
  expect(await run()).toBe(code);
  const why = `klease ${LEASE} was not granted: waited long enough (${reason})`;
  expect(lines.at(-1)).toBe(why);
  expect(readFileSync(context.config.terminationLogPath, "utf8")).toBe(why);
});

test.each([400, 403])("an answer %i is final, and its message is logged", async (status) => {
  const { server, lines } = await start();
  server.play(PATH.acquire, json({ reason: "Forbidden", message: "this pod has no label for it" }, status));
  expect(await run()).toBe(EXIT.refused);
  expect(lines.at(-1)).toContain("this pod has no label for it");
});

test.each([401, 404, 409, 500, 302])(
  "an answer %i leads to another try, with the token read again",
  async (status) => {
    const { server, clock, context } = await start();
    server.play(
      PATH.acquire,
      json({ message: "not now" }, status, { location: "/elsewhere" }),
      stream([GRANTED]),
    );
    const exit = run();
    await untilLogged("not now");
    writeFileSync(context.config.tokenPath, "newer-token");
    await clock.turn(5_000);
    expect(await exit).toBe(EXIT.done);
    expect(server.requests(PATH.acquire).map(({ authorization }) => authorization)).toEqual([
      "Bearer pod-token",
      "Bearer newer-token",
    ]);
    expect(server.requests("/elsewhere")).toEqual([]);
  },
);

test.each<Record<string, string>>([
  { "retry-after": "7" },
  // The date comes from a machine whose time of day differs from this node's.
  { "retry-after": "Thu, 01 Jan 2026 00:00:07 GMT", date: "Thu, 01 Jan 2026 00:00:00 GMT" },
])(
  "a gate that asks too often comes back when it is told to, by the same connection: %o",
  async (headers) => {
    const { server, clock } = await start();
    const tooOften = { reason: "TooManyRequests", elsewhere: false };
    server.play(PATH.acquire, json(tooOften, 429, headers), stream([GRANTED]));
    const exit = run();
    await untilLogged("429");
    await clock.turn(6_999);
    expect(server.requests(PATH.acquire)).toHaveLength(1);
    await clock.turn(1);
    expect(await exit).toBe(EXIT.done);
    const [first, second] = server.requests(PATH.acquire);
    expect(second?.response.req.socket).toBe(first?.response.req.socket);
  },
);

test.each([
  ["text that is not JSON", "<html>hello</html>\n"],
  ["JSON of another kind", '{"state":"granted","token":"41"}\n'],
  ["a line of 1 MB", `${"x".repeat(2 ** 20)}\n`],
  ["1 MB without a line end", "x".repeat(2 ** 20)],
  ["nothing", ""],
])("%s does not count as an answer: the gate tries again", async (_what, text) => {
  const { server, clock } = await start();
  server.play(PATH.acquire, raw(text), stream([GRANTED]));
  const exit = run();
  await untilLogged("trying again");
  await clock.turn(5_000);
  expect(await exit).toBe(EXIT.done);
});

test("a server with a certificate of another authority gets no request, and the likely cause is named after 10 s", async () => {
  const { server, clock, lines } = await start({ ca: selfSigned().cert });
  const exit = run().catch(() => "ended");
  await untilLogged("self-signed certificate");
  await clock.turn(9_999);
  expect(lines.join()).not.toContain("service mesh");
  await clock.turn(1);
  expect(lines.join()).toContain("service mesh");
  expect(server.requests(PATH.acquire)).toEqual([]);
  stage.terminate();
  expect(await exit).toBe("ended");
});

test("authorities and addresses that a gate learns while it waits are stored with its hold", async () => {
  const { server, context, stored } = await start();
  const news = { ca: `${certificate.cert}${selfSigned().cert}`, urls: [server.url] };
  server.play(PATH.acquire, stream([{ ...WAITING, ...news }, GRANTED]));
  expect(await run()).toBe(EXIT.done);
  expect(context.route.current().ca).toBe(news.ca);
  expect(stored()).toMatchObject(news);
});

test("the DNS name is tried if the ClusterIP does not answer", async () => {
  const { server, clock, context } = await start();
  context.route.learn({ ca: undefined, urls: [server.url.replace("127.0.0.1", "127.0.0.2")] });
  const exit = run();
  await untilLogged("ECONNREFUSED");
  await clock.turn(5_000);
  expect(await exit).toBe(EXIT.done);
});

async function untilLogged(text: string): Promise<void> {
  await expect.poll(() => stage.lines.join("\n"), { interval: 2 }).toContain(text);
}
