import { rmSync } from "node:fs";
import { afterEach, beforeAll, expect, test } from "vitest";
import type { GateConfig } from "../../../src/gate/config.ts";
import { runKeeper } from "../../../src/gate/keeping/keeper.ts";
import { EXIT, PATH } from "../../../src/shared/names.ts";
import { type Certificate, selfSigned } from "./certificates.ts";
import { json, raw, scriptedServer, silent } from "./scripted-server.ts";
import { LEASE, openStage, STOP_MS, type Stage, TTL_MS } from "./stage.ts";

const RENEWED = { token: 41, ttlMs: TTL_MS, renewals: 1 };

let certificate: Certificate;
let stage: Stage;
beforeAll(() => {
  certificate = selfSigned();
});
afterEach(() => stage.close());

async function start(changes: Partial<GateConfig> = {}): Promise<Stage> {
  stage = await openStage(certificate, changes);
  stage.server.play(PATH.renew, json(RENEWED));
  stage.server.play(PATH.release, json({ released: true }));
  return stage;
}
/** Runs the keeper. `ended` shows without waiting whether it has ended. */
function run(): { exit: Promise<number>; ended(): boolean } {
  let over = false;
  const exit = runKeeper(stage.context, stage.termination).finally(() => {
    over = true;
  });
  return { exit, ended: () => over };
}
async function stop(exit: Promise<number>): Promise<void> {
  stage.terminate();
  expect(await exit).toBe(EXIT.done);
}

test("the hold is renewed three times per ttl, and each deadline counts from when the renewal was sent", async () => {
  const { server, clock, hold, stored } = await start();
  const beganMs = clock.monotonicMs();
  const { deadline } = hold();
  const { exit } = run();
  for (const count of [1, 2, 3]) {
    await clock.turn(TTL_MS / 3 - 1);
    expect(server.requests(PATH.renew)).toHaveLength(count - 1);
    await clock.turn(1);
    expect((await server.received(PATH.renew, count)).body).toEqual({
      lease: LEASE,
      token: 41,
      ttlMs: TTL_MS,
      keeperSince: `0a1b/${beganMs}`,
    });
    await expect.poll(() => stored()?.deadline).toBe(deadline + (count * TTL_MS) / 3);
  }
  await stop(exit);
});

test("a slow answer does not move the deadline, which counts from when the renewal was sent", async () => {
  const { server, clock, hold, stored } = await start();
  const { deadline } = hold();
  server.play(PATH.renew, silent);
  const { exit } = run();
  await clock.turn(TTL_MS / 3);
  const renewal = await server.received(PATH.renew);
  await clock.turn(2_000);
  json(RENEWED)(renewal);
  await expect.poll(() => stored()?.deadline).toBe(deadline + TTL_MS / 3);
  await stop(exit);
});

test("a silent server leads to the fence exactly one stop before the deadline", async () => {
  const { server, clock, hold, stored, lines } = await start();
  hold();
  server.play(PATH.renew, silent);
  const { exit, ended } = run();
  await clock.turn(TTL_MS - STOP_MS - 1);
  expect(ended()).toBe(false);
  expect(stored()?.state).toBe("held");
  await clock.turn(1);
  expect(await exit).toBe(EXIT.fenced);
  expect(stored()).toMatchObject({ state: "lost", token: 41 });
  expect(lines.at(-1)).toContain(`the hold of klease ${LEASE} is lost`);
});

test("a try without an answer ends after ttl/6, and others are made meanwhile", async () => {
  const { server, clock, hold } = await start();
  hold();
  server.play(PATH.renew, silent);
  const { exit } = run();
  await clock.turn(TTL_MS / 3);
  const first = await server.received(PATH.renew);
  let isClosed = false;
  first.response.once("close", () => {
    isClosed = true;
  });
  // A sixteenth of the time that is left until the fence.
  await clock.turn((TTL_MS - TTL_MS / 3 - STOP_MS) / 16);
  await server.received(PATH.renew, 2);
  await clock.turn(TTL_MS / 6 - (TTL_MS - TTL_MS / 3 - STOP_MS) / 16 - 1);
  expect(isClosed).toBe(false);
  await clock.turn(1);
  await expect.poll(() => isClosed).toBe(true);
  await stop(exit);
});

test("answers that are not a decision by konductor lead to another try", async () => {
  const { server, clock, hold, stored } = await start();
  const { deadline } = hold();
  const answers = [
    json({ reason: "NotReady" }, 503),
    json({ reason: "Internal" }, 500),
    json({ reason: "Unauthenticated" }, 401),
    raw("no JSON"),
    json({ ...RENEWED, token: 7 }),
    json({ message: "not of konductor" }, 409),
  ];
  server.play(PATH.renew, ...answers, json(RENEWED));
  const { exit } = run();
  await clock.turn(TTL_MS / 3);
  const turned = () => clock.turn(20).then(() => stored()?.deadline);
  await expect.poll(turned, { interval: 20, timeout: 10_000 }).toBeGreaterThan(deadline);
  expect(server.requests(PATH.renew)).toHaveLength(answers.length + 1);
  const sockets = server.requests(PATH.renew).map(({ response }) => response.req.socket);
  expect(new Set(sockets).size).toBe(answers.length + 1);
  await stop(exit);
});

test.each(["NotHolder", "Revoked", "NotStarted"])("409 %s fences at once", async (reason) => {
  const { server, clock, hold, stored } = await start();
  hold();
  server.play(PATH.renew, json({ reason, holder: "other" }, 409));
  const { exit } = run();
  await clock.turn(TTL_MS / 3);
  expect(await exit).toBe(EXIT.fenced);
  expect(stored()?.state).toBe("lost");
});

test.each(["MaxHold", "NotRenewable"])(
  "409 %s ends the renewals, and the hold lasts until its deadline",
  async (reason) => {
    const { server, clock, hold } = await start();
    hold();
    server.play(PATH.renew, json({ reason }, 409));
    const { exit, ended } = run();
    await clock.turn(TTL_MS / 3);
    await expect.poll(() => stage.lines.join()).toContain("not renewed any more");
    await clock.turn((TTL_MS * 2) / 3 - STOP_MS - 1);
    expect(ended()).toBe(false);
    expect(server.requests(PATH.renew)).toHaveLength(1);
    await clock.turn(1);
    expect(await exit).toBe(EXIT.fenced);
  },
);

test.each([
  [{ fencing: false } as const, "konductor deletes the pod"],
  [{ onLost: "continue" } as const, "two may run"],
])("a lost hold with %j is logged, not fenced, and retried slowly", async (changes, said) => {
  const { server, clock, hold, lines, stored } = await start(changes);
  hold();
  server.play(PATH.renew, json({ reason: "NotHolder" }, 409));
  const { exit } = run();
  await clock.turn(TTL_MS / 3);
  await expect.poll(() => lines.join()).toContain(said);
  await clock.turn(TTL_MS / 3 - 1);
  expect(server.requests(PATH.renew)).toHaveLength(1);
  server.play(PATH.renew, json(RENEWED));
  await clock.turn(1);
  await expect.poll(() => lines.join()).toContain("held again");
  expect(stored()?.state).toBe("held");
  await stop(exit);
});

test("silence without fencing is logged once, at the deadline, as a loss", async () => {
  const { server, clock, hold, lines } = await start({ fencing: false });
  hold();
  server.play(PATH.renew, silent);
  const { exit, ended } = run();
  await clock.turn(TTL_MS - 1);
  expect(lines.join()).not.toContain("is lost");
  await clock.turn(TTL_MS);
  expect(lines.filter((line) => line.includes("is lost"))).toHaveLength(1);
  expect(ended()).toBe(false);
  await stop(exit);
});

test("a restarted keeper knows its predecessor's deadline", async () => {
  const { server, clock, hold } = await start();
  hold({ deadline: clock.monotonicMs() + STOP_MS + 200 });
  server.play(PATH.renew, silent);
  const { exit, ended } = run();
  await server.received(PATH.renew);
  await clock.turn(199);
  expect(ended()).toBe(false);
  await clock.turn(1);
  expect(await exit).toBe(EXIT.fenced);
});

test.each([
  ["whose deadline is too close", { deadline: 1_000_000 + STOP_MS }],
  ["marked as lost", { state: "lost" } as const],
])("a stored hold %s is fenced before any request", async (_what, changes) => {
  const { server, hold, stored } = await start();
  hold(changes);
  expect(await run().exit).toBe(EXIT.fenced);
  expect(stored()?.state).toBe("lost");
  expect(server.requests(PATH.renew)).toEqual([]);
});

test("a keeper without a stored hold marks it as lost and fences, so that the pod goes back to its gate", async () => {
  const { stored } = await start();
  expect(await run().exit).toBe(EXIT.fenced);
  expect(stored()).toMatchObject({ state: "lost", token: 0 });
});

test("a keeper without a stored hold and without fencing cannot work", async () => {
  const { stored } = await start({ fencing: false });
  expect(await run().exit).toBe(EXIT.badConfiguration);
  expect(stored()).toBeUndefined();
});

test("a state that cannot be stored neither ends the hold nor prevents the fence", async () => {
  const { server, clock, hold, context } = await start();
  hold();
  const { exit, ended } = run();
  rmSync(context.config.stateDir, { recursive: true });
  server.play(PATH.renew, silent);
  await clock.turn(TTL_MS - STOP_MS - 1);
  expect(ended()).toBe(false);
  await clock.turn(1);
  expect(await exit).toBe(EXIT.fenced);
});

test("SIGTERM releases the hold, and tells the time since the preStop hook began", async () => {
  const { server, clock, hold, context } = await start();
  hold();
  const { exit } = run();
  context.prestopFile.write(clock.monotonicMs());
  await clock.turn(130);
  await stop(exit);
  expect(server.requests(PATH.release).map(({ body }) => body)).toEqual([
    { lease: LEASE, token: 41, sincePreStopMs: 130, keeperSince: `0a1b/${clock.monotonicMs()}` },
  ]);
});

test("the start of an earlier keeper's hook is not told", async () => {
  const { server, clock, hold, context } = await start();
  hold();
  context.prestopFile.write(clock.monotonicMs() - 1);
  context.prestopFile.discardBefore(clock.monotonicMs());
  await stop(run().exit);
  expect(server.requests(PATH.release)[0]?.body).not.toHaveProperty("sincePreStopMs");
});

test("a release without an answer is sent again for 25 s, and then the keeper ends with 0, where it cannot fence even after its deadline", async () => {
  const { server, clock, hold, context } = await start({ fencing: false });
  hold({ deadline: clock.monotonicMs() + STOP_MS + 1_000 });
  server.play(PATH.renew, silent);
  server.play(PATH.release, json({}, 503), silent);
  const { exit, ended } = run();
  stage.terminate();
  await server.received(PATH.release);
  await expect.poll(() => stage.lines.join()).toContain("503");
  await clock.turn(1_000);
  await server.received(PATH.release, 2);
  await clock.turn(23_900);
  expect(ended()).toBe(false);
  await clock.turn(100);
  expect(await exit).toBe(EXIT.done);
  expect(context.holdFile.read(LEASE)?.state).toBe("held");
});

test("a release without an answer ends in time for a restarted keeper to fence", async () => {
  const { server, clock, hold, context } = await start();
  hold({ deadline: clock.monotonicMs() + STOP_MS + 1_000 });
  server.play(PATH.release, silent);
  const { exit, ended } = run();
  stage.terminate();
  await clock.turn(999);
  expect(ended()).toBe(false);
  await clock.turn(1);
  expect(await exit).toBe(EXIT.done);
  expect(await runKeeper(context, { signal: new AbortController().signal, atMs: () => undefined })).toBe(
    EXIT.fenced,
  );
});

test("a release that is refused because the pod is gone is sent again, since another replica may know its token's key", async () => {
  const { server, clock, hold } = await start();
  hold();
  server.play(PATH.release, json({}, 401), json({ released: false }));
  const { exit } = run();
  stage.terminate();
  await server.received(PATH.release);
  await expect.poll(() => stage.lines.join()).toContain("401");
  await clock.turn(100);
  expect(await exit).toBe(EXIT.done);
  expect(server.requests(PATH.release)).toHaveLength(2);
});

test("the release of a lost hold is tried for only 5 s, since the keeper's end lets the kubelet prove main's end", async () => {
  const { server, clock, hold } = await start({ fencing: false });
  hold({ deadline: clock.monotonicMs() - 1, state: "lost" });
  server.play(PATH.renew, silent);
  server.play(PATH.release, silent);
  const { exit, ended } = run();
  stage.terminate();
  await server.received(PATH.release);
  await clock.turn(4_900);
  expect(ended()).toBe(false);
  await clock.turn(100);
  expect(await exit).toBe(EXIT.done);
});

test.each([
  [200, { released: false }],
  [409, { reason: "NotHolder" }],
])("an answer %i %j to a release is final", async (status, answer) => {
  const { server, hold } = await start();
  hold();
  server.play(PATH.release, json(answer, status));
  await stop(run().exit);
  expect(server.requests(PATH.release)).toHaveLength(1);
});

test("authority and addresses of an answer are used from then on, and stored for a restarted keeper", async () => {
  const { server, clock, hold, stored } = await start();
  const other = selfSigned();
  const next = await scriptedServer(other);
  try {
    next.play(PATH.renew, json(RENEWED));
    hold();
    server.play(PATH.renew, json({ ...RENEWED, ca: other.cert, urls: [next.url] }));
    const { exit } = run();
    await clock.turn(TTL_MS / 3);
    await expect.poll(() => stored()?.urls).toEqual([next.url]);
    await clock.turn(TTL_MS / 3);
    await next.received(PATH.renew);
    expect(stored()?.ca).toBe(other.cert);
    next.play(PATH.release, json({ released: true }));
    await stop(exit);
    expect(next.requests(PATH.release)).toHaveLength(1);
  } finally {
    await next.close();
  }
});

test("a stored hold of another Lease does not count", async () => {
  const { hold } = await start({ fencing: false });
  hold({ lease: "another" });
  expect(await run().exit).toBe(EXIT.badConfiguration);
});
