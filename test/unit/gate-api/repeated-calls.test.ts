/** The load that a pod can cause by calling again and again. */
import { expect, test } from "vitest";
import { createCallRates } from "../../../src/server/gate-api/wire/call-rates.ts";
import type { Clock } from "../../../src/shared/clock.ts";
import { GATE_CONTAINER, KEEPER_CONTAINER, LEASE_LABEL, PATH } from "../../../src/shared/names.ts";
import { isoTime } from "../../../src/shared/times.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { storedApi } from "./stored-api.ts";

const TOKEN = 42;
const RENEWAL = { lease: "report", token: TOKEN, ttlMs: 600_000 };

/** A replica whose machine's clock is `clock`, with a klease that another replica has renewed just now. */
function replica(clock: Clock = turnedClock()) {
  const named = { namespace: "a", resourceVersion: "1" };
  return storedApi(
    {
      lease: {
        metadata: { ...named, name: "report", uid: "lease" },
        spec: { ttl: "10m" },
        status: {
          ...{ phase: "Held", holder: "me", holderRef: { kind: "Pod", name: "me", uid: "me" } },
          ...{ acquired: "1970-01-01T00:00:00Z", expires: isoTime(clock.nowMs() + 600_000) },
          ...{ fencingToken: TOKEN, confirmed: true, renewals: 1 },
        },
      },
      pod: {
        metadata: { ...named, name: "me", uid: "me", labels: { [LEASE_LABEL]: "report" } },
        spec: {
          initContainers: [{ name: GATE_CONTAINER }, { name: KEEPER_CONTAINER, restartPolicy: "Always" }],
          containers: [{ name: "main" }],
        },
      },
    },
    { clock },
  );
}

test("renewals within a second are all answered, but written once", async () => {
  const { post, writes } = replica();
  for (let index = 0; index < 20; index++)
    expect(await post(PATH.renew, RENEWAL)).toMatchObject({ token: TOKEN, ttlMs: 600_000 });
  expect(writes()).toEqual(["replaceStatus leases"]);
});

test("a renewal that is not written gets the time that is left since this replica sent the written one", async () => {
  const clock = turnedClock();
  const { post, writes } = replica(clock);
  await post(PATH.renew, RENEWAL);
  await clock.turn(999);
  expect(await post(PATH.renew, RENEWAL)).toMatchObject({ ttlMs: 599_001 });
  await clock.turn(1);
  expect(await post(PATH.renew, RENEWAL)).toMatchObject({ ttlMs: 600_000 });
  expect(writes()).toEqual(["replaceStatus leases", "replaceStatus leases"]);
});

test("a renewal minutes later is written, although the API server's clock was set back meanwhile", async () => {
  const clock = turnedClock();
  let setBackMs = 0;
  const { post, writes } = replica({ ...clock, nowMs: () => clock.nowMs() - setBackMs });
  await post(PATH.renew, RENEWAL);
  await clock.turn(200_000);
  setBackMs = 199_500;
  expect(await post(PATH.renew, RENEWAL)).toMatchObject({ ttlMs: 600_000 });
  expect(writes()).toEqual(["replaceStatus leases", "replaceStatus leases"]);
});

test("a pod that calls too often is refused", async () => {
  const { post } = replica();
  const answers: unknown[] = [];
  for (let index = 0; index < 60; index++) answers.push((await post(PATH.renew, RENEWAL))["reason"]);
  expect(answers.slice(0, 40).every((reason) => reason === undefined)).toBe(true);
  expect(answers.slice(45).every((reason) => reason === "TooManyRequests")).toBe(true);
});

test("each pod has a call rate of its own, which recovers", async () => {
  const clock = turnedClock();
  const rates = createCallRates(clock);
  const most = (uid: string) => {
    for (let calls = 0; ; calls++)
      try {
        rates.take(uid);
      } catch (error) {
        expect(error).toMatchObject({ code: "TooManyRequests", elsewhere: false });
        return calls;
      }
  };
  expect([most("a"), most("b"), most("a")]).toEqual([40, 40, 0]);
  await clock.turn(1_000);
  expect(most("a")).toBe(10);
});
