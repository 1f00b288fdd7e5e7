/** Defects of `decide()` that simulated stories once found: one test for each. */
import { expect, test } from "vitest";
import { decide } from "../../../src/lease/decide.ts";
import type { HoldTimers, Situation } from "../../../src/lease/decision.ts";
import type { PodView } from "../../../src/lease/pod.ts";
import type { Hold } from "../../../src/lease/types.ts";
import { passMessage } from "../../../src/shared/names.ts";
import { createPod, STOP_MS, statusOf } from "./pod-fixture.ts";
import { aHold, aLease, aRequest, held, NOW_MS, situationOf } from "./samples.ts";

const GATE_MS = NOW_MS - 120_000;

/** The holder's pod: past its gate, main and keeper running since. */
function holder(change: Partial<PodView> = {}): PodView {
  const { token } = aHold();
  const truth = {
    ...createPod(1, { selfFencing: true, restartPolicy: "Never" }),
    token,
    gate: "passed" as const,
  };
  const times = { gateFinishedMs: GATE_MS, keeperStartedMs: GATE_MS, mainStartedMs: GATE_MS };
  return { ...statusOf({ ...truth, ...times, main: "running", keeper: "running" }), ...change };
}

const keeper = (state: "running" | "waiting", startedMs: number) => ({
  keeper: { name: "konductor-keeper", kind: "sidecar" as const, state, startedMs, hasRestartRules: true },
});

/** A situation whose holder is silent for good while somebody waits. */
function expired(pod: PodView, timers: Partial<HoldTimers>, hold: Partial<Hold> = {}): Situation {
  const waiter = aRequest({ name: "waiter" });
  return situationOf(held({ expired: true, ...hold }), {
    requests: [waiter],
    evidenceOf: () => ({ is: "present", pod }),
    timers: {
      heldForMs: 99_000,
      silentForMs: 99_000,
      answerableForMs: 99_000,
      expiredForMs: 0,
      endingForMs: 0,
      idleForMs: 0,
      ...timers,
    },
  });
}

test("a keeper that ran all the time has stopped main before its hold expires: the next waiter starts", () => {
  expect(decide(expired(holder(), {}))).toMatchObject({ do: "write", why: "Granted" });
});

test("a keeper that came back after a crash may only now be stopping main: the fence is awaited", () => {
  const pod = holder(keeper("running", NOW_MS - 1_000));
  const stoppingMs = STOP_MS + 5_000;
  expect(decide(expired(pod, { expiredForMs: 1_000 }))).toEqual({ do: "wait", forMs: stoppingMs - 1_000 });
  expect(decide(expired(pod, { expiredForMs: stoppingMs }))).toMatchObject({ do: "write", why: "Granted" });
});

test.each([
  ["has a deadline", { hasDeadline: true }],
  ["is ended by its kubelet", { isEndedByKubelet: true }],
] as const)(
  "a fence has no effect while the kubelet ends the pod: the grace period of a pod that %s is awaited",
  (_, change) => {
    const pod = holder(change);
    expect(decide(expired(pod, { expiredForMs: 1_000 }))).toEqual({ do: "wait", forMs: 34_000 });
    expect(decide(expired(pod, { expiredForMs: 35_000 }))).toMatchObject({ do: "write", why: "Granted" });
  },
);

test("the status of an earlier run's keeper is ignored", () => {
  const pod = holder();
  const { gate } = pod;
  const earlier = { ...pod, ...(gate && { gate: { ...gate, message: passMessage(aHold().token - 1) } }) };
  expect(decide(expired(earlier, {}))).toMatchObject({ do: "wait" });
});

test("a holder whose keeper was seen down cannot fence: its pod is deleted, and without proof an admin must act", () => {
  const down = keeper("waiting", GATE_MS);
  expect(decide(expired(holder(down), {}))).toMatchObject({ do: "deletePod" });
  const deleted = holder({ ...down, deletionMs: NOW_MS });
  expect(decide(expired(deleted, { endingForMs: 99_000, idleForMs: 0, expiredForMs: 99_000 }))).toMatchObject(
    {
      do: "write",
      why: "HolderUnreachable",
    },
  );
  expect(decide(expired(deleted, { endingForMs: 99_000, idleForMs: 0 }, { unreachable: true }))).toEqual({
    do: "wait",
  });
});

test("a holder that was seen to fence is not deleted: the rest of the fence is awaited, then the next waiter starts", () => {
  const waiting = { name: "konductor-gate", kind: "init", state: "running", hasRestartRules: false } as const;
  const queuesAgain = holder({ ...keeper("waiting", GATE_MS), gate: waiting });
  const fencing = holder();
  const ends = {
    ...fencing,
    keeper: { ...keeper("waiting", GATE_MS).keeper, state: "terminated", exitCode: 75 },
  } as const;
  const stoppingMs = STOP_MS + 5_000;
  expect(decide(expired(queuesAgain, {}))).toEqual({ do: "wait", forMs: stoppingMs });
  expect(decide(expired(queuesAgain, { expiredForMs: stoppingMs }))).toMatchObject({ why: "Granted" });
  expect(decide(expired(ends, {}))).toMatchObject({ why: "Granted" });
});

test("a keeper in a pod that is being deleted no longer fences, but the kubelet ends the pod in time", () => {
  const deleted = holder({ deletionMs: NOW_MS });
  const since = (ms: number) => ({ endingForMs: ms, idleForMs: 0, expiredForMs: ms });
  expect(decide(expired(deleted, since(1_000)))).toEqual({ do: "wait", forMs: 34_000 });
  expect(decide(expired(deleted, since(35_000)))).toMatchObject({ do: "write", why: "Granted" });
  // A kubelet that is cut off may learn of the deletion only at the expiry.
  expect(decide(expired(deleted, { endingForMs: 99_000, idleForMs: 0, expiredForMs: 0 }))).toEqual({
    do: "wait",
    forMs: 35_000,
  });
  const patient = holder({ deletionMs: NOW_MS, deletionGraceSeconds: 3_600 });
  expect(decide(expired(patient, since(35_000)))).toEqual({ do: "wait", forMs: 3_570_000 });
});

test("once a holder is unreachable, the disappearance of its pod object does not free the Lease", () => {
  const gone = {
    ...expired(
      holder(),
      { endingForMs: 999_000, idleForMs: 0, expiredForMs: 999_000 },
      { unreachable: true },
    ),
  };
  const evidenceOf = () => ({ is: "gone", isFinal: false, nodeOutOfService: false }) as const;
  expect(decide({ ...gone, evidenceOf })).toEqual({ do: "wait" });
  const off = () => ({ is: "gone", isFinal: false, nodeOutOfService: true }) as const;
  expect(decide({ ...gone, evidenceOf: off })).toMatchObject({ do: "write", why: "Granted" });
});

test("a pod that runs again must start main again within start-timeout", () => {
  const situation = expired(holder(), { heldForMs: 600_000, silentForMs: 0 }, { expired: false });
  expect(decide(situation)).toMatchObject({ do: "wait" });
  const pod = holder();
  // The gate of this hold finished after main's last start, so the status shows main of the earlier run.
  const rerun = { ...pod, ...(pod.gate && { gate: { ...pod.gate, finishedMs: GATE_MS + 60_000 } }) };
  expect(decide({ ...situation, evidenceOf: () => ({ is: "present", pod: rerun }) })).toMatchObject({
    do: "write",
    why: "Revoked",
  });
});

test("a request that the holder's pod made after the grant is new, and an earlier one has had its hold", () => {
  const { ref, acquiredMs } = aHold();
  const own = { kind: "Pod", name: ref.name, uid: ref.uid } as const;
  const situation = expired(holder(), {});
  const requestOf = (requestedAtMs: number) => aRequest({ name: "own", spec: { ref: own, requestedAtMs } });
  const asked = requestOf(acquiredMs + 9_000);
  expect(decide({ ...situation, requests: [asked, ...situation.requests] })).toMatchObject({
    why: "Granted",
  });
  const putBack = requestOf(acquiredMs);
  const requests = [putBack, ...situation.requests];
  expect(decide({ ...situation, requests })).toEqual({ do: "retire", request: putBack });
});

test("behind holds of a deleted klease, the pods of granted requests that nobody has seen are looked at", () => {
  const own = { kind: "Pod", name: "old", uid: "pod-0" } as const;
  const granted = aRequest({ name: "old", spec: { ref: own }, status: { phase: "Granted", token: 40 } });
  const situation = { ...expired(holder(), {}), lease: aLease(), requests: [granted], unrecordedHolders: 1 };
  const unknown = { ...situation, evidenceOf: () => ({ is: "unknown" }) as const };
  expect(decide(unknown)).toEqual({ do: "look", at: own });
  expect(decide(situation)).toEqual({ do: "wait", forMs: 5_000 });
});

test("whoever is awaited for too long behind a deleted klease is shown once, and as long as that is so", () => {
  const behind = (overdueHolders: string | undefined, awaited?: string) =>
    decide(
      situationOf(aLease({ ...(awaited && { awaited }) }), {
        unrecordedHolders: overdueHolders === undefined ? 0 : 1,
        ...(overdueHolders !== undefined && { overdueHolders }),
      }),
    );
  expect(behind("pod old")).toMatchObject({ status: { awaited: "pod old" }, why: "HolderUnreachable" });
  expect(behind("pod old", "pod old")).toMatchObject({ do: "wait" });
  const over = behind(undefined, "pod old");
  expect(over).toMatchObject({ do: "write" });
  expect(over).not.toHaveProperty("status.awaited");
});

test("while phase Expired is shown and nobody else waits, the holder's own request is not deleted, since it would be recreated at once", () => {
  const { ref, acquiredMs } = aHold();
  const { kind, name, uid } = ref;
  const own = aRequest({ spec: { ref: { kind, name, uid }, requestedAtMs: acquiredMs } });
  const situation = { ...expired(holder({ phase: "Failed" }), { expiredForMs: 400 }), requests: [own] };
  expect(decide(situation)).toEqual({ do: "wait", forMs: 600 });
  const { timers } = situation;
  expect(decide({ ...situation, timers: { ...timers, expiredForMs: 1_000 } })).toMatchObject({
    do: "retire",
  });
});
