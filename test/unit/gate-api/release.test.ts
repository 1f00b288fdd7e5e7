import { describe, expect, test } from "vitest";
import { parsePod } from "../../../src/lease/pod.ts";
import { provesEnd } from "../../../src/lease/proof.ts";
import { GATE_CONTAINER, KEEPER_CONTAINER, PATH, passMessage } from "../../../src/shared/names.ts";
import { storedApi } from "./stored-api.ts";

const TOKEN = 42;
const BEGAN = { startedAt: "2026-01-01T00:00:06Z" };
const RUNNING = { state: { running: BEGAN } };
const ended = (exitCode: number) => ({ state: { terminated: { ...BEGAN, exitCode } } });
const BACKING_OFF = {
  state: { waiting: { reason: "CrashLoopBackOff" } },
  lastState: { terminated: { ...BEGAN, exitCode: 1 } },
};

interface Case {
  sincePreStopMs?: number;
  /** The status of the main container. */
  main?: object;
  /** Changes to the spec of the main container. */
  spec?: object;
  restartPolicy?: string;
  /** The grace period of the deletion. undefined means that the pod is not being deleted. */
  graceSeconds?: number;
  token?: number;
  keeperImage?: string;
  phase?: string;
  /** The reason of the condition DisruptionTarget. */
  disruptedBy?: string;
  /** A user's init container between keeper and main, with its status. */
  init?: { spec: object; status: object };
}

function podOf(given: Case): object {
  const { main = RUNNING, spec, restartPolicy = "Never", graceSeconds, token = TOKEN, init } = given;
  const { keeperImage = "konductor:1", phase = "Running", disruptedBy: reason } = given;
  const gate = { exitCode: 0, startedAt: "2026-01-01T00:00:00Z", finishedAt: "2026-01-01T00:00:05Z" };
  return {
    metadata: {
      namespace: "a",
      name: "me",
      uid: "me",
      labels: { "konductor.io/lease": "report" },
      ...(graceSeconds !== undefined && {
        deletionTimestamp: "2026-01-01T00:10:00Z",
        deletionGracePeriodSeconds: graceSeconds,
      }),
    },
    spec: {
      restartPolicy,
      initContainers: [
        { name: GATE_CONTAINER, image: "konductor:1" },
        { name: KEEPER_CONTAINER, image: keeperImage, restartPolicy: "Always" },
        ...(init ? [{ name: "prepare", ...init.spec }] : []),
      ],
      containers: [{ name: "main", ...spec }],
    },
    status: {
      phase,
      ...(reason && { conditions: [{ type: "DisruptionTarget", status: "True", reason }] }),
      initContainerStatuses: [
        { name: GATE_CONTAINER, state: { terminated: { ...gate, message: passMessage(token) } } },
        ...(init ? [{ name: "prepare", ...init.status }] : []),
      ],
      containerStatuses: [{ name: "main", ...main }],
    },
  };
}

const isProved = (given: Case) => provesEnd(parsePod(podOf(given)), TOKEN, given.sincePreStopMs);

describe("main has provably ended", () => {
  test.each<[string, Case]>([
    ["a Job's pod completed", { main: ended(0) }],
    ["a Job's pod failed", { main: ended(1) }],
    ["main succeeded with OnFailure", { main: ended(0), restartPolicy: "OnFailure" }],
    [
      "main is never restarted, although other containers are",
      {
        main: ended(1),
        restartPolicy: "Always",
        spec: { restartPolicy: "Never" },
      },
    ],
    ["the kubelet wrote a terminal phase", { main: {}, phase: "Failed" }],
    [
      "a deleted pod's keeper was stopped within the grace period",
      { sincePreStopMs: 28_999, graceSeconds: 30 },
    ],
    ["a deleted pod's keeper was stopped right after its preStop", { sincePreStopMs: 40, graceSeconds: 30 }],
    [
      "the keeper of a pod that is evicted by the API was stopped within the grace period",
      { sincePreStopMs: 40, graceSeconds: 30, disruptedBy: "EvictionByEvictionAPI" },
    ],
    [
      "main was in its crash back-off when the pod was deleted",
      {
        sincePreStopMs: 40,
        graceSeconds: 30,
        main: BACKING_OFF,
        restartPolicy: "Always",
      },
    ],
  ])("if %s", (_what, given) => {
    expect(isProved(given)).toBe(true);
  });
});

describe("main has not provably ended", () => {
  test.each<[string, Case]>([
    [
      "when the kubelet ended the pod by its own decision, with a grace period of its own, before it was deleted",
      { sincePreStopMs: 1_300, graceSeconds: 30, disruptedBy: "TerminationByKubelet" },
    ],
    ["in main's crash back-off", { sincePreStopMs: 100, main: BACKING_OFF, restartPolicy: "Always" }],
    [
      "in the back-off of a Job's main container",
      { sincePreStopMs: 100, main: BACKING_OFF, restartPolicy: "OnFailure" },
    ],
    ["when main failed a moment ago", { sincePreStopMs: 100, main: ended(1), restartPolicy: "OnFailure" }],
    [
      "when main ended a moment ago, and always restarts",
      { sincePreStopMs: 100, main: ended(0), restartPolicy: "Always" },
    ],
    [
      "when main always restarts, and no other container does",
      {
        sincePreStopMs: 100,
        main: ended(0),
        spec: { restartPolicy: "Always" },
      },
    ],
    [
      "when a rule may restart main",
      {
        sincePreStopMs: 100,
        main: ended(1),
        spec: { restartPolicy: "Never", restartPolicyRules: [{ action: "Restart" }] },
      },
    ],
    [
      "when a rule of another container may restart all containers",
      {
        sincePreStopMs: 100,
        main: ended(0),
        init: { spec: { restartPolicyRules: [{ action: "RestartAllContainers" }] }, status: ended(0) },
      },
    ],
    [
      "while an init container runs or will run again",
      {
        sincePreStopMs: 100,
        main: { state: { waiting: {} } },
        init: { spec: {}, status: BACKING_OFF },
        restartPolicy: "OnFailure",
      },
    ],
    [
      "while a sidecar runs",
      {
        sincePreStopMs: 100,
        main: ended(0),
        init: { spec: { restartPolicy: "Always" }, status: RUNNING },
      },
    ],
    ["when main runs, since only the keeper was stopped", { sincePreStopMs: 40 }],
    ["when main ended under an earlier hold", { main: ended(0), token: TOKEN - 1 }],
    ["of a deleted pod when the time since preStop is unknown", { graceSeconds: 30 }],
    [
      "of a deleted pod when no main container has started",
      {
        sincePreStopMs: 40,
        graceSeconds: 30,
        main: { state: { waiting: {} } },
      },
    ],
    [
      "of a deleted pod when main started under an earlier hold",
      {
        sincePreStopMs: 40,
        graceSeconds: 30,
        token: TOKEN - 1,
      },
    ],
    [
      "of a deleted pod whose keeper may have been stopped since its image was patched",
      {
        sincePreStopMs: 40,
        graceSeconds: 30,
        keeperImage: "konductor:2",
      },
    ],
    ["in the last second of the grace period", { sincePreStopMs: 29_000, graceSeconds: 30 }],
    ["when there is no grace period", { sincePreStopMs: 500, graceSeconds: 0 }],
  ])("%s", (_what, given) => {
    expect(isProved(given)).toBe(false);
  });
});

const heldByMe = (handoverPolicy?: string, once?: string) => ({
  metadata: { namespace: "a", name: "report", uid: "lease", resourceVersion: "1" },
  spec: { ttl: "10m", handoverPolicy },
  status: {
    phase: "Held",
    holder: "me",
    holderRef: { kind: "Pod", name: "me", uid: "me" },
    fencingToken: TOKEN,
    confirmed: true,
    once,
  },
});

test.each<[string, Case, boolean]>([
  ["of a deleted pod", { graceSeconds: 30 }, false],
  ["of a pod whose main has ended with 0", { main: ended(0) }, false],
  ["of a pod whose main has failed, as its kubelet says", { main: ended(1) }, true],
])("under once the word of a keeper %s ends no hold: ended %s", async (_, given, released) => {
  const { post, hold } = storedApi({ lease: heldByMe(undefined, "schema-v42"), pod: podOf(given) });
  const body = { lease: "report", token: TOKEN, sincePreStopMs: 40 };
  expect(await post(PATH.release, body)).toMatchObject({ released });
  expect(hold()).toEqual(
    released ? undefined : expect.objectContaining({ releasing: true, once: "schema-v42" }),
  );
});

test.each([
  [undefined, true],
  ["AfterExpiry", true],
  ["AfterTermination", false],
])("under handoverPolicy %s a deleted pod's keeper is believed: %s", async (handoverPolicy, released) => {
  const { post, hold } = storedApi({ lease: heldByMe(handoverPolicy), pod: podOf({ graceSeconds: 30 }) });
  const body = { lease: "report", token: TOKEN, sincePreStopMs: 40 };
  expect(await post(PATH.release, body)).toMatchObject({ released });
  expect(hold() === undefined).toBe(released);
});
