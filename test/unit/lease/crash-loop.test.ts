/** A holder whose main crash-loops while others wait (max-restarts). */
import { expect, test } from "vitest";
import { decide } from "../../../src/lease/decide.ts";
import type { Situation } from "../../../src/lease/decision.ts";
import { type ContainerView, type PodView, parsePod } from "../../../src/lease/pod.ts";
import type { LeaseRequest } from "../../../src/lease/types.ts";
import { createPod, statusOf } from "./pod-fixture.ts";
import { aHold, aRequest, held, NOW_MS, situationOf } from "./samples.ts";

const MAX_RESTARTS = 3;
const PASSED_MS = NOW_MS - 120_000;
const WAITER = aRequest({ name: "waiter" });
const RESTING = { state: "waiting", isBackingOff: true, restarts: MAX_RESTARTS + 1 } as const;
/** The state that a kubelet reports for most of the back-off. */
const ENDED = {
  state: "terminated",
  exitCode: 1,
  finishedMs: NOW_MS - 19_000,
  restarts: MAX_RESTARTS + 1,
} as const;
const KEEPS = { do: "wait" };
const HANDS_OVER = { do: "write", why: "Revoked", status: { hold: { revoked: "CrashLooping" } } };

/** The holder's pod: main was started under its hold, and now has the state `main`. */
function holder(main: Partial<ContainerView>, change: Partial<PodView> = {}): PodView {
  const pod = statusOf({
    ...createPod(1, { selfFencing: true, restartPolicy: "OnFailure" }),
    ...{ token: aHold().token, gate: "passed", gateFinishedMs: PASSED_MS },
    ...{ keeper: "running", keeperStartedMs: PASSED_MS, main: "waiting", mainStartedMs: NOW_MS - 20_000 },
  });
  return { ...pod, main: pod.main.map((container) => ({ ...container, ...main })), ...change };
}

function situation(pod: PodView, change: Partial<Situation> = {}): Situation {
  return situationOf(held(), {
    requests: [WAITER],
    evidenceOf: () => ({ is: "present", pod }),
    wishes: { startTimeoutMs: 600_000, continueOnLoss: false, maxRestarts: MAX_RESTARTS },
    ...change,
  });
}

test.each([
  ["ended again", ENDED],
  ["backed off", RESTING],
])("a holder hands over once main has %s after more restarts than allowed", (_what, main) => {
  expect(decide(situation(holder(main)))).toMatchObject(HANDS_OVER);
});

test.each<[string, Partial<ContainerView>]>([
  ["that was restarted no more often than allowed", { ...ENDED, restarts: MAX_RESTARTS }],
  ["that stayed up for long", { ...ENDED, startedMs: NOW_MS - 119_000, finishedMs: NOW_MS + 600_000 }],
  ["that runs", { ...RESTING, state: "running", isBackingOff: undefined as never }],
  ["that ran under an earlier hold", { ...RESTING, startedMs: PASSED_MS - 1_000 }],
  ["that is a sidecar", { ...RESTING, kind: "sidecar" }],
])("a holder keeps its hold with a container %s", (_what, main) => {
  expect(decide(situation(holder(main)))).toMatchObject(KEEPS);
});

test.each<[string, Partial<PodView>, Partial<Situation>]>([
  ["nobody waits", {}, { requests: [] }],
  ["its user set no max-restarts", {}, { wishes: { startTimeoutMs: 600_000, continueOnLoss: false } }],
  ["its pod is being deleted", { deletionMs: NOW_MS }, {}],
])("a holder keeps its hold where %s", (_what, pod, change) => {
  expect(decide(situation(holder(RESTING, pod), change))).toMatchObject(KEEPS);
});

const waits = (spec: Partial<LeaseRequest["spec"]>, status: Partial<LeaseRequest["status"]> = {}) =>
  aRequest({ name: "other", spec, status: { phase: "Pending", ...status } });
const pod = { kind: "Pod", name: "run-2", uid: "pod-2" } as const;

test.each<[string, LeaseRequest]>([
  ["tries only once", waits({ waitUntilMs: NOW_MS })],
  ["has waited long enough", waits({ waitUntilMs: NOW_MS - 1, requestedAtMs: NOW_MS - 9_000 })],
  ["did not answer a grant", waits({ ref: pod }, { reason: "NotConfirmed" })],
  ["belongs to the holder", waits({ ref: { ...pod, uid: "pod-1" } })],
  ["belongs to an unknown pod", waits({ ref: pod })],
])("a holder keeps its hold where the only other request %s", (_what, request) => {
  const known = situation(holder(RESTING)).evidenceOf(aHold().ref);
  const evidenceOf: Situation["evidenceOf"] = ({ uid }) => (uid === "pod-2" ? { is: "unknown" } : known);
  expect(decide(situation(holder(RESTING), { requests: [request], evidenceOf }))).toMatchObject(KEEPS);
});

test("a live look confirms the cache before a hold is revoked, and a look that hangs does not delay expiry", () => {
  const unseen = { lookedAgoMs: () => Number.POSITIVE_INFINITY };
  expect(decide(situation(holder(RESTING), unseen))).toMatchObject({ do: "look", at: { uid: "pod-1" } });
  const stuck = situation(holder(RESTING), { ...unseen, isStuck: (what) => what === "look" });
  expect(decide(stuck)).toMatchObject(KEEPS);
  const silent = { ...stuck.timers, silentForMs: aHold().ttlMs + 2_000 };
  expect(decide({ ...stuck, timers: silent })).toMatchObject({ why: "Expiring" });
});

test("a holder that cannot stop itself is deleted after its hold is revoked", () => {
  const lease = held({ revoked: "CrashLooping", ref: { ...aHold().ref, selfFencing: false } });
  expect(decide(situation(holder(RESTING), { lease }))).toMatchObject({ do: "deletePod" });
});

test("the kubelet's CrashLoopBackOff is read as a crash loop, and no other reason to wait is", () => {
  const podWith = (reason: string) =>
    parsePod({
      spec: { containers: [{ name: "main" }] },
      status: { containerStatuses: [{ name: "main", restartCount: 5, state: { waiting: { reason } } }] },
    }).main;
  expect(podWith("CrashLoopBackOff")).toMatchObject([{ restarts: 5, isBackingOff: true }]);
  expect(podWith("ImagePullBackOff")[0]).not.toHaveProperty("isBackingOff");
});
