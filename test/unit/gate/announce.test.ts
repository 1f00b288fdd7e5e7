import { afterEach, beforeAll, expect, test } from "vitest";
import { runAnnounce } from "../../../src/gate/keeping/announce.ts";
import { PATH } from "../../../src/shared/names.ts";
import { type Certificate, selfSigned } from "./certificates.ts";
import { json, silent } from "./scripted-server.ts";
import { LEASE, openStage, type Stage } from "./stage.ts";

let certificate: Certificate;
let stage: Stage;
beforeAll(() => {
  certificate = selfSigned();
});
afterEach(() => stage.close());

test("the start of the hook is stored before the server is called", async () => {
  stage = await openStage(certificate);
  const { server, clock, context, hold } = stage;
  hold();
  let storedMs: number | undefined;
  server.play(PATH.announce, (received) => {
    storedMs = context.prestopFile.read(clock.monotonicMs());
    json({})(received);
  });
  await runAnnounce(context, clock.monotonicMs() - 40);
  expect(storedMs).toBe(clock.monotonicMs() - 40);
  expect(server.requests(PATH.announce)[0]?.body).toEqual({
    lease: LEASE,
    token: 41,
    keeperSince: `0a1b/${clock.monotonicMs() - 40}`,
  });
});

test("a server that does not answer delays the hook until 200 ms after its start", async () => {
  stage = await openStage(certificate);
  const { server, clock, context, hold } = stage;
  hold();
  server.play(PATH.announce, silent);
  let over = false;
  const end = runAnnounce(context, clock.monotonicMs() - 40).then(() => {
    over = true;
  });
  await server.received(PATH.announce);
  await clock.turn(159);
  expect(over).toBe(false);
  await clock.turn(1);
  await end;
});

test.each([
  [401, "Unauthenticated"],
  [503, "NotReady"],
])(
  "an answer %i is not final while time is left, since another replica may answer next",
  async (status, reason) => {
    stage = await openStage(certificate);
    const { server, clock, context, hold } = stage;
    hold();
    server.play(PATH.announce, json({ reason }, status), json({}));
    const end = runAnnounce(context, clock.monotonicMs());
    await server.received(PATH.announce);
    await clock.waitedFor(50);
    await clock.turn(50);
    await server.received(PATH.announce, 2);
    await end;
    expect(stage.lines).toEqual([]);
  },
);

test("a final refusal is not followed by another try, nor is a refusal without time left", async () => {
  stage = await openStage(certificate);
  const { server, clock, context, hold } = stage;
  hold();
  server.play(PATH.announce, json({ reason: "Forbidden" }, 403), json({ reason: "NotReady" }, 503));
  await runAnnounce(context, clock.monotonicMs());
  const late = runAnnounce(context, clock.monotonicMs() - 190);
  await server.received(PATH.announce, 2);
  await clock.turn(10);
  await late;
  expect(server.requests(PATH.announce)).toHaveLength(2);
});
