/** Pods that hold before they are scheduled (`gate: scheduling`). */
import { describe, expect, test } from "vitest";
import { decide } from "../../../src/lease/decide.ts";
import type { HoldTimers, Situation } from "../../../src/lease/decision.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import { readAsked } from "../../../src/lease/settings.ts";
import { ANNOTATION } from "../../../src/shared/names.ts";
import { createPod, statusOf } from "./pod-fixture.ts";
import { aHold, aRequest, held, JUST_NOW, NOW_MS, situationOf } from "./samples.ts";

const START_TIMEOUT_MS = 600_000;

function granted(pod: Partial<PodView>, timers: Partial<HoldTimers> = {}): Situation {
  const status = statusOf(createPod(1, { selfFencing: true, restartPolicy: "Never" }));
  const { gate: _, node: __, ...unscheduled } = status;
  const asked = readAsked("nightly", { [ANNOTATION.gate]: "scheduling" });
  const own = { kind: "Pod", name: "run-1", uid: "pod-1" } as const;
  return situationOf(held({ confirmed: false, renewals: 0 }), {
    requests: [
      aRequest({ name: "own", spec: { ref: own }, status: { phase: "Granted", token: aHold().token } }),
    ],
    evidenceOf: () => ({ is: "present", pod: { ...unscheduled, ...asked, ...pod } }),
    timers: { ...JUST_NOW, ...timers },
    wishes: { startTimeoutMs: START_TIMEOUT_MS, continueOnLoss: false },
  });
}

test("its scheduling gate is removed, again and again until the gate is gone", () => {
  expect(decide(granted({ gated: true }))).toMatchObject({ do: "ungate", ref: { uid: "pod-1" } });
});

test("its grant is not taken back after 10 s, since it may still wait for a node", () => {
  expect(decide(granted({}, { heldForMs: 11_000, silentForMs: 11_000 }))).toEqual({
    do: "wait",
    forMs: 9_000,
  });
});

test("meanwhile the arbiter renews, so that the hold does not look expired", () => {
  expect(decide(granted({}, { heldForMs: 21_000, silentForMs: 20_000 }))).toMatchObject({
    do: "write",
    why: "Renewed",
    status: { hold: { expiresMs: NOW_MS + 60_000, renewals: 0, confirmed: false } },
  });
});

test("after start-timeout its request is passed over and the next request is served", () => {
  const situation = granted({}, { heldForMs: START_TIMEOUT_MS });
  const requests = [...situation.requests, aRequest({ name: "next" })];
  expect(decide({ ...situation, requests })).toMatchObject({
    do: "write",
    why: "Granted",
    granted: { name: "next" },
    passOver: { name: "own" },
  });
});

test("its gate has 10 s to answer once started, however long ago the arbiter renewed", () => {
  const gate = {
    name: "konductor-gate",
    kind: "init",
    state: "running",
    startedMs: NOW_MS,
    hasRestartRules: false,
  } as const;
  const timers = { heldForMs: 150_000, silentForMs: 150_000, answerableForMs: 1_000 };
  expect(decide(granted({ gate }, timers))).toEqual({ do: "wait", forMs: 9_000 });
});

test("once its gate runs, or its pod is being deleted, the usual rules apply", () => {
  const gate = {
    name: "konductor-gate",
    kind: "init",
    state: "running",
    startedMs: NOW_MS,
    hasRestartRules: false,
  } as const;
  expect(decide(granted({ gate }, { answerableForMs: 10_000 }))).toMatchObject({ why: "NotConfirmed" });
  expect(decide(granted({ deletionMs: NOW_MS }))).toMatchObject({ why: "NotConfirmed" });
});

describe("while its scheduling gate cannot be removed", () => {
  const stuck = { isStuck: (what: string) => what === "ungate" };
  const other = aRequest({ name: "next" });
  const held = (heldForMs: number) => {
    const situation = { ...granted({ gated: true }, { heldForMs }), ...stuck };
    return { ...situation, requests: [...situation.requests, other] };
  };
  const handover = { do: "write", why: "Granted", granted: { name: "next" }, passOver: { name: "own" } };

  test("the next request is served after 5 s, if one waits", () => {
    expect(decide(held(4_999))).toMatchObject({ do: "ungate", forMs: 1 });
    expect(decide(held(5_000))).toMatchObject(handover);
    expect(decide(granted({ gated: true }, { heldForMs: 5_000 }))).toMatchObject({ do: "ungate" });
    const once = aRequest({ name: "once", spec: { waitUntilMs: NOW_MS } });
    expect(decide({ ...held(5_000), requests: [once] })).toMatchObject({ do: "ungate" });
  });

  test("a look comes first, since the gate may be gone", () => {
    const stale = { ...held(5_100), lookedAgoMs: () => 101 };
    expect(decide(stale)).toMatchObject({ do: "look", at: { uid: "pod-1" } });
    const unseen = (what: string) => what === "ungate" || what === "look";
    expect(decide({ ...stale, isStuck: unseen })).toMatchObject(handover);
    const gone = { ...granted({ gated: false }, { heldForMs: 5_100 }), ...stuck, requests: [other] };
    expect(decide(gone)).toMatchObject({ do: "wait" });
  });
});
