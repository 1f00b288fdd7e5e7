import { expect, test } from "vitest";
import type { KubeClient } from "../../../src/kube/api.ts";
import {
  createEventRecorder,
  type EventLoss,
  type EventRecorderOptions,
  type EventReport,
} from "../../../src/kube/events.ts";
import type { Clock } from "../../../src/shared/clock.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { parseJson, record } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { type Call, recordedClient } from "../controller/recorded-client.ts";
import { turnedClock } from "../gate/turned-clock.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

const object = { apiVersion: "v1", kind: "Pod", namespace: "ns", name: "p", uid: "p" };
const odd = (name: string, namespace = "ns"): EventReport => ({
  object: { ...object, namespace, name, uid: name },
  ...{ type: "Normal", reason: "Odd", message: "something is odd" },
});

function aRecorder(client: KubeClient, clock: Clock, more: Partial<EventRecorderOptions> = {}) {
  return createEventRecorder({
    ...{ client, clock, component: "konductor", instance: "replica-1" },
    logger: createLogger({ level: "silent" }),
    perSecond: () => Number.POSITIVE_INFINITY,
    ...more,
  });
}

const names = (calls: readonly Call[]) =>
  calls.map(({ sent }) => record(record(sent)["involvedObject"])["name"]);

test.each([HOUR_MS, -HOUR_MS])(
  "the age of an event decides whether it is counted up, even if a clock is set by %i ms",
  async (byMs) => {
    const { client, calls } = recordedClient(() => ({}));
    const turned = turnedClock(HOUR_MS);
    let setMs = 0;
    const events = aRecorder(client, { ...turned, nowMs: () => turned.nowMs() + setMs });
    const happens = async () => {
      events.record(odd("p"));
      await turned.turn(0);
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
  for (const instance of ["replica-1", "replica-2"]) {
    const events = aRecorder(client, clock, { instance });
    for (const once of ["1", "1", "2"]) {
      events.record({ ...odd("p"), message: `said by ${instance}`, once });
      await clock.turn(10 * MINUTE_MS);
    }
  }
  const names = calls.map(({ what, sent }) => `${what} ${record(record(sent)["metadata"])["name"]}`);
  expect(names).toHaveLength(4);
  expect(new Set(names).size).toBe(2);
});

test("events with a budget of their own are not lost because others of their object are many, and are bounded themselves", async () => {
  const { client, calls } = recordedClient(() => ({}));
  const clock = turnedClock(HOUR_MS);
  const events = aRecorder(client, clock);
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
    await clock.turn(0);
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

test("a process writes so many events a second, whoever reports them and however, and what is urgent first", async () => {
  const atMs: number[] = [];
  const clock = turnedClock(0);
  const { client, calls } = recordedClient(() => void atMs.push(clock.nowMs()));
  const events = aRecorder(client, clock, { perSecond: () => 10 });
  for (let number = 0; number < 10; number++) {
    events.record(odd(`known-${number}`));
    events.recordInTurn("ns", () => odd(`made-${number}`));
  }
  events.recordInTurn("ns", () => undefined);
  expect(events.waiting("ns")).toBe(21);
  events.record({ ...odd("urgent"), isUrgent: true });
  const flushed = events.flush();
  await clock.turn(10_000);
  await flushed;
  expect(names(calls).slice(0, 3)).toEqual(["urgent", "known-0", "made-0"]);
  expect(atMs).toEqual(Array.from({ length: 21 }, (_, index) => index * 100));
});

test("what waited for a slow write does not come all at once later", async () => {
  const atMs: number[] = [];
  const clock = turnedClock(0);
  const { client } = recordedClient(async () => {
    atMs.push(clock.nowMs());
    if (atMs.length === 1) await clock.sleep(5_000);
  });
  const events = aRecorder(client, clock, { perSecond: () => 10 });
  for (let number = 0; number < 5; number++) events.record(odd(`pod-${number}`));
  await clock.turn(10_000);
  expect(atMs).toEqual([0, 5_000, 5_100, 5_200, 5_300]);
});

test("after an outage what is tried again waits for a turn, too, and all is written", async () => {
  const SENT = 200;
  const OUTAGE_MS = 10_000;
  const atMs: number[] = [];
  const written = new Set<unknown>();
  const clock = turnedClock(0);
  const { client } = recordedClient(({ sent }) => {
    atMs.push(clock.nowMs());
    if (clock.nowMs() < OUTAGE_MS) throw new KonductorError("Unreachable", "connection refused");
    written.add(record(record(sent)["involvedObject"])["name"]);
    return {};
  });
  const events = aRecorder(client, clock, { perSecond: () => 10 });
  for (let number = 0; number < SENT; number++) events.record(odd(`pod-${number}`, `ns-${number}`));
  const flushed = events.flush();
  await clock.turn(MINUTE_MS);
  await flushed;
  expect(written.size).toBe(SENT);
  expect(atMs.length).toBeGreaterThan(SENT);
  for (let second = 0; second < 60; second++) {
    const within = atMs.filter((ms) => ms >= second * 1_000 && ms < (second + 1) * 1_000);
    expect(within.length).toBeLessThanOrEqual(10);
  }
});

test("what happens again before its turn takes no other", async () => {
  const clock = turnedClock(0);
  const { client, calls } = recordedClient(() => ({}));
  const events = aRecorder(client, clock);
  for (let times = 0; times < 3; times++) events.record(odd("p"));
  await clock.turn(1_000);
  expect(calls.map(({ what, sent }) => [what, record(sent)["count"]])).toEqual([["create events", 3]]);
});

test("whoever counts is told of each event that is dropped", async () => {
  const clock = turnedClock(0);
  const lost: EventLoss[] = [];
  const { client } = recordedClient(() => {
    throw new KonductorError("Forbidden", "the namespace is being deleted");
  });
  const events = aRecorder(client, clock, { perSecond: () => 1, onLost: (why) => lost.push(why) });
  for (let number = 0; number < 26; number++) events.record({ ...odd("p"), message: `word ${number}` });
  expect(lost.splice(0)).toEqual(["object"]);
  for (let number = 0; number < 76; number++) events.record(odd(`pod-${number}`));
  expect(lost.splice(0)).toEqual(["total"]);
  expect(events.recordInTurn("ns", () => odd("late"))).toBe(false);
  expect(lost.splice(0)).toEqual(["total"]);
  const flushed = events.flush();
  await clock.turn(MINUTE_MS * 2);
  await flushed;
  expect(lost).toEqual(Array(100).fill("refused"));
});

test("what is not written when a process ends is counted and logged, without what has nothing to say any more", async () => {
  const clock = turnedClock(0);
  const lost: EventLoss[] = [];
  const lines: string[] = [];
  const logger = createLogger({ destination: { write: (line) => void lines.push(line) } });
  const { client, calls } = recordedClient(({ sent }) =>
    record(record(sent)["involvedObject"])["name"] === "pod-2" ? clock.sleep(HOUR_MS) : {},
  );
  const events = aRecorder(client, clock, { logger, perSecond: () => 1, onLost: (why) => lost.push(why) });
  for (let number = 0; number < 5; number++) events.record(odd(`pod-${number}`));
  events.recordInTurn("ns", () => odd("made"));
  events.recordInTurn("ns", () => undefined);
  const flushed = events.flush(3_000);
  await clock.turn(3_000);
  await flushed;
  expect(names(calls)).toEqual(["pod-0", "pod-1", "pod-2"]);
  expect(lost).toEqual(Array(4).fill("ended"));
  expect(lines.map((line) => record(parseJson(line)))).toMatchObject([{ events: 4 }]);
});

test("an event that found no room is told if it happens again", async () => {
  const clock = turnedClock(0);
  const { client, calls } = recordedClient(() => ({}));
  const events = aRecorder(client, clock);
  for (let number = 0; number < 101; number++) events.record({ ...odd(`pod-${number}`), once: "1" });
  await clock.turn(0);
  events.record({ ...odd("pod-100"), once: "1" });
  await clock.turn(0);
  expect(names(calls).slice(-2)).toEqual(["pod-99", "pod-100"]);
});

test("a rejected event delays no event of another namespace", async () => {
  const { client, calls } = recordedClient(({ sent }) => {
    const { name } = record(record(sent)["involvedObject"]);
    if (name === "ill") throw new KonductorError("Internal", "failed calling webhook");
    return {};
  });
  const clock = turnedClock(HOUR_MS);
  const events = aRecorder(client, clock);
  for (const name of ["ill", "well"]) events.record(odd(name, name));
  await clock.turn(100);
  expect(names(calls)).toContain("well");
});
