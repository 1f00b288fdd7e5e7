import { expect, test } from "vitest";
import type { KubeClient } from "../../../src/kube/api.ts";
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

test("what several replicas report once is one event, however often and in whatever words each of them says it", async () => {
  const { client, calls } = recordedClient(() => ({}));
  const clock = turnedClock(HOUR_MS);
  const object = { apiVersion: "v1", kind: "Pod", namespace: "ns", name: "p", uid: "p" };
  for (const instance of ["replica-1", "replica-2"]) {
    const logger = createLogger({ level: "silent" });
    const events = createEventRecorder({ client, clock, logger, component: "konductor", instance });
    for (const once of ["1", "1", "2"]) {
      const message = `said by ${instance}`;
      events.record({ object, type: "Normal", reason: "Odd", message, once });
      await events.flush();
      await clock.turn(10 * MINUTE_MS);
    }
  }
  const names = calls.map(({ what, sent }) => `${what} ${record(record(sent)["metadata"])["name"]}`);
  expect(names).toHaveLength(4);
  expect(new Set(names).size).toBe(2);
});

function aRecorder(client: KubeClient, clock = turnedClock(HOUR_MS)) {
  return createEventRecorder({
    client,
    clock,
    logger: createLogger({ level: "silent" }),
    component: "konductor",
    instance: "replica-1",
  });
}

test("events with a budget of their own are not lost because others of their object are many, and are bounded themselves", async () => {
  const { client, calls } = recordedClient(() => ({}));
  const clock = turnedClock(HOUR_MS);
  const events = aRecorder(client, clock);
  const object = { apiVersion: "v1", kind: "Pod", namespace: "ns", name: "p", uid: "p" };
  const budget = { name: "ends", refillEveryMs: MINUTE_MS };
  const annotations = { "konductor.io/token": "7" };
  const told = (reason: string) => calls.filter(({ sent }) => record(sent)["reason"] === reason);
  const record40 = async (reason: string, more: object) => {
    for (let number = 0; number < 40; number++)
      events.record({
        object,
        type: "Normal",
        reason,
        message: `${reason} ${clock.nowMs()} ${number}`,
        ...more,
      });
    await events.flush();
  };
  await record40("Other", {});
  await record40("Ended", { budget, annotations });
  expect([told("Other").length, told("Ended").length]).toEqual([25, 25]);
  expect(record(record(told("Ended")[0]?.sent)["metadata"])["annotations"]).toEqual(annotations);
  await clock.turn(10 * MINUTE_MS);
  await record40("Other", {});
  await record40("Ended", { budget, annotations });
  expect([told("Other").length, told("Ended").length]).toEqual([27, 35]);
});

test("it is known how many events of a namespace wait to be written", async () => {
  const { client } = recordedClient(() => new Promise(() => undefined));
  const events = aRecorder(client);
  for (const name of ["under-way", "waits", "waits-too"]) {
    const object = { apiVersion: "v1", kind: "Pod", namespace: "slow", name, uid: name };
    events.record({ object, type: "Normal", reason: "Odd", message: "something is odd" });
  }
  expect([events.pending("slow"), events.pending("quiet")]).toEqual([2, 0]);
});

test("a rejected event delays no event of another namespace", async () => {
  const { client, calls } = recordedClient(({ sent }) => {
    const { name } = record(record(sent)["involvedObject"]);
    if (name === "ill") throw new KonductorError("Internal", "failed calling webhook");
    return {};
  });
  const clock = turnedClock(HOUR_MS);
  const events = aRecorder(client, clock);
  for (const name of ["ill", "well"]) {
    const object = { apiVersion: "v1", kind: "Pod", namespace: name, name, uid: name };
    events.record({ object, type: "Normal", reason: "Odd", message: "something is odd" });
  }
  await clock.turn(100);
  expect(calls.map(({ sent }) => record(record(sent)["involvedObject"])["name"])).toContain("well");
});
