/** What the arbiter counts of waits, grants, handovers, renewals and ends. */
import { afterEach, expect, test } from "vitest";
import type { Hold } from "../../../src/lease/types.ts";
import { microTime } from "../../../src/shared/times.ts";
import { leaseObject, podObject, requestObject } from "../controller/objects.ts";
import { stageArbiter } from "../controller/staged-arbiter.ts";
import { aHold, NOW_MS } from "../lease/samples.ts";
import { counted, countedMetrics } from "./scraped.ts";

const holdOf = (name: string, change: Partial<Hold> = {}) =>
  aHold({ holder: name, ref: { kind: "LeaseRequest", name, uid: `uid-of-${name}` }, ...change });
const holder = requestObject("first", "uid-of-first", {}, { phase: "Granted", fencingToken: 41 });
const at = (ms: number) => microTime(NOW_MS + ms);
const waiter = (spec: object = {}) => requestObject("second", "uid-of-second", spec);

let end: () => Promise<void> = async () => undefined;
afterEach(() => end());

/** A klease, held by the client `first` unless `isFree`, and `waiting`. */
async function arbitrate(waiting: object[], { isFree = false } = {}) {
  const metrics = countedMetrics();
  const past = { holder: "earlier", acquiredMs: NOW_MS - 90_000, endedMs: NOW_MS - 60_000, token: 40 };
  const stage = stageArbiter({
    objects: {
      leases: [
        isFree
          ? leaseObject({ history: [{ ...past, reason: "Released" }] })
          : leaseObject({ hold: holdOf("first") }),
      ],
      pods: [podObject("run-2", "pod-2")],
      leaserequests: isFree ? waiting : [holder, ...waiting],
    },
    recorder: { ...metrics.holds, ...metrics.arbiter },
  });
  end = stage.end;
  await stage.clock.turn(500);
  return { stage, counts: () => counted(metrics) };
}

test("a release, the next grant, its confirmation and a renewal", async () => {
  const { stage, counts } = await arbitrate([waiter({ waitUntil: at(60_000) })]);
  expect(await counts()).toEqual({});

  stage.withdraw("first");
  await stage.clock.turn(1_500);
  const granted = {
    'holds_ended_total{reason="Released"}': 1,
    'hold_duration_seconds_count{reason="Released"}': 1,
    'hold_duration_seconds_sum{reason="Released"}': 10.5,
    grants_total: 1,
    'wait_duration_seconds_count{outcome="granted"}': 1,
    'wait_duration_seconds_sum{outcome="granted"}': 5.5,
  };
  expect(await counts()).toEqual(granted);

  const [waiting] = stage.requests();
  const answer = (ms: number) =>
    requestObject(
      "second",
      "uid-of-second",
      { waitUntil: at(60_000), renewTime: at(ms) },
      { phase: "Granted", fencingToken: waiting?.status.token },
    );
  stage.put("leaserequests", answer(2_000));
  await stage.clock.turn(1_000);
  const confirmed = { ...granted, handover_duration_seconds_count: 1, handover_duration_seconds_sum: 1.5 };
  expect(await counts()).toEqual(confirmed);

  // The second renewal comes after more than two thirds of the minute.
  await stage.clock.turn(10_000);
  stage.put("leaserequests", answer(13_000));
  await stage.clock.turn(50_000);
  stage.put("leaserequests", answer(63_000));
  await stage.clock.turn(1_000);
  expect(await counts()).toEqual({
    ...confirmed,
    renewal_margin_seconds_count: 2,
    renewal_margin_seconds_sum: 60 - 11 + (60 - 50),
    renewals_late_total: 1,
  });
});

test("who comes when nobody holds takes over from nobody", async () => {
  const { counts } = await arbitrate([waiter()], { isFree: true });
  expect(await counts()).toEqual({
    grants_total: 1,
    'wait_duration_seconds_count{outcome="granted"}': 1,
    'wait_duration_seconds_sum{outcome="granted"}': 5,
  });
});

test.each<[string, string, object, (stage: ReturnType<typeof stageArbiter>) => void, number]>([
  ["one try, while somebody holds", "refused", { waitUntil: at(-5_000) }, () => undefined, 5],
  ["a client whose time is over", "timed_out", { waitUntil: at(1_000) }, () => undefined, 6],
  ["a request that is deleted", "withdrawn", {}, (stage) => stage.withdraw("second"), 5.5],
])("%s has waited: %s", async (_, outcome, spec, happens, afterSeconds) => {
  const { stage, counts } = await arbitrate([waiter(spec)]);
  happens(stage);
  await stage.clock.turn(3_000);
  expect(await counts()).toEqual({
    [`wait_duration_seconds_count{outcome="${outcome}"}`]: 1,
    [`wait_duration_seconds_sum{outcome="${outcome}"}`]: afterSeconds,
  });
});

test("a pod whose wait-timeout is over has timed out", async () => {
  const holderRef = { kind: "Pod", name: "run-2", uid: "pod-2" };
  const { stage, counts } = await arbitrate([waiter({ holderRef, waitUntil: at(1_000) })]);
  await stage.clock.turn(3_000);
  expect(await counts()).toMatchObject({ 'wait_duration_seconds_count{outcome="timed_out"}': 1 });
});

test("the request of a hold that is over is no withdrawal", async () => {
  const { stage, counts } = await arbitrate([]);
  stage.withdraw("first");
  await stage.clock.turn(3_000);
  expect(Object.keys(await counts()).filter((name) => name.startsWith("wait_"))).toEqual([]);
});

test("a wait whose first grant is not confirmed is counted once", async () => {
  const holderRef = { kind: "Pod", name: "run-2", uid: "pod-2" };
  const { stage, counts } = await arbitrate([waiter({ holderRef })], { isFree: true });
  const isPassedOver = () => stage.requests().some(({ status }) => status.reason === "NotConfirmed");
  await stage.until(isPassedOver, 15_000);
  // The pod's gate asks again.
  stage.put("leaserequests", waiter({ holderRef }));
  await stage.until(() => stage.holder() === "pod-2", 5_000);
  expect(await counts()).toMatchObject({
    grants_total: 2,
    'holds_ended_total{reason="NotConfirmed"}': 1,
    'wait_duration_seconds_count{outcome="granted"}': 1,
    'wait_duration_seconds_sum{outcome="granted"}': 5,
  });
});
