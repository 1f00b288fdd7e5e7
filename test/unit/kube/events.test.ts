import { expect, test } from "vitest";
import { createEventRecorder } from "../../../src/kube/events.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { recordedClient } from "../controller/recorded-client.ts";
import { turnedClock } from "../gate/turned-clock.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

test.each([HOUR_MS, -HOUR_MS])(
  "the age of an event decides whether it is counted up, even if a clock is set by %i ms",
  async (byMs) => {
    const { client, calls } = recordedClient(() => ({}));
    const turned = turnedClock(HOUR_MS);
    let setMs = 0;
    const events = createEventRecorder({
      client,
      clock: { ...turned, nowMs: () => turned.nowMs() + setMs },
      logger: createLogger({ level: "silent" }),
      component: "konductor",
      instance: "replica-1",
    });
    const object = { apiVersion: "v1", kind: "Pod", namespace: "ns", name: "p", uid: "p" };
    const happens = async () => {
      events.record({ object, type: "Normal", reason: "Odd", message: "something is odd" });
      await events.flush();
    };
    await happens();
    setMs = byMs;
    await turned.turn(4 * MINUTE_MS);
    await happens();
    setMs = 2 * byMs;
    await turned.turn(6 * MINUTE_MS);
    await happens();
    expect(calls.map(({ what, sent, options }) => [what, record(sent)["count"] ?? options])).toMatchObject([
      ["create events", 1],
      ["patch events", expect.anything()],
      ["create events", 1],
    ]);
  },
);

test("a rejected event delays no event of another namespace", async () => {
  const { client, calls } = recordedClient(({ sent }) => {
    const { name } = record(record(sent)["involvedObject"]);
    if (name === "ill") throw new KonductorError("Internal", "failed calling webhook");
    return {};
  });
  const clock = turnedClock(HOUR_MS);
  const logger = createLogger({ level: "silent" });
  const events = createEventRecorder({
    client,
    clock,
    logger,
    component: "konductor",
    instance: "replica-1",
  });
  for (const name of ["ill", "well"]) {
    const object = { apiVersion: "v1", kind: "Pod", namespace: name, name, uid: name };
    events.record({ object, type: "Normal", reason: "Odd", message: "something is odd" });
  }
  await clock.turn(100);
  expect(calls.map(({ sent }) => record(record(sent)["involvedObject"])["name"])).toContain("well");
});
