import { describe, expect, test } from "vitest";
import { isProven } from "../../../src/lease/evidence.ts";
import { parsePod } from "../../../src/lease/pod.ts";
import {
  hasEverStarted,
  hasKeptSinceGate,
  hasMainStarted,
  isGuarded,
  mayRunUnrecorded,
  provesMainEnded,
} from "../../../src/lease/proof.ts";
import { GATE_CONTAINER, KEEPER_CONTAINER, passMessage } from "../../../src/shared/names.ts";

const TOKEN = 1_767_225_600_000;
const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`;

const running = (from: number) => ({ state: { running: { startedAt: at(from) } } });
const ended = (exitCode: number, from = 12, to = 20) => ({
  state: { terminated: { exitCode, startedAt: at(from), finishedAt: at(to) } },
});
/** The status of a container between two runs in place. */
const backingOff = { state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: ended(1).state };
const passedGate = (token = TOKEN, to = 10) => ({
  state: { terminated: { exitCode: 0, startedAt: at(1), finishedAt: at(to), message: passMessage(token) } },
});

interface Given {
  spec?: object;
  metadata?: object;
  status?: object;
  gate?: object;
  keeper?: object;
  keeperRules?: object[];
  /** The user's init containers after ours, with their statuses. */
  init?: { spec: object; status: object }[];
  apps?: { spec?: object; status: object }[];
}

/** A pod of ours as the API server stores it: bound, past its gate, main running; changed as given. */
function pod({
  spec,
  metadata,
  status,
  gate,
  keeper,
  keeperRules,
  init = [],
  apps = [{ status: running(12) }],
}: Given = {}) {
  const users = init.map((container, index) => ({ name: `init-${index}`, ...container }));
  const mains = apps.map((container, index) => ({ name: `main-${index}`, ...container }));
  return parsePod({
    metadata: { name: "p", namespace: "ns", uid: "u", ...metadata },
    spec: {
      nodeName: "node-1",
      restartPolicy: "Never",
      initContainers: [
        { name: "mesh", restartPolicy: "Always" },
        { name: GATE_CONTAINER },
        { name: KEEPER_CONTAINER, restartPolicy: "Always", restartPolicyRules: keeperRules },
        ...users.map(({ name, spec }) => ({ name, ...spec })),
      ],
      containers: mains.map(({ name, spec }) => ({ name, ...spec })),
      ...spec,
    },
    status: {
      phase: "Running",
      initContainerStatuses: [
        { name: "mesh", ...running(0) },
        { name: GATE_CONTAINER, ...(gate ?? passedGate()) },
        { name: KEEPER_CONTAINER, ...(keeper ?? running(11)) },
        ...users.map(({ name, status }) => ({ name, ...status })),
      ],
      containerStatuses: mains.map(({ name, status }) => ({ name, ...status })),
      ...status,
    },
  });
}

const onFailure = { restartPolicy: "OnFailure" };
const always = { restartPolicy: "Always" };
const deleting = { deletionTimestamp: at(40), deletionGracePeriodSeconds: 30 };
const sidecar = { restartPolicy: "Always" };
const rules = { restartPolicyRules: [{ action: "Restart", exitCodes: { operator: "In", values: [3] } }] };
const collected = { conditions: [{ type: "DisruptionTarget", status: "True", reason: "DeletionByPodGC" }] };
const evicted = {
  conditions: [{ type: "DisruptionTarget", status: "True", reason: "EvictionByEvictionAPI" }],
};

describe("what a pod's status proves about the end of main", () => {
  test.each<[string, Given, boolean]>([
    ["main runs", {}, false],
    ["main has not started", { apps: [{ status: { state: { waiting: {} } } }] }, false],
    ["no status of main at all", { status: { containerStatuses: [] } }, false],

    ["ended, Never: whatever its exit code", { apps: [{ status: ended(1) }] }, true],
    ["ended well, OnFailure", { spec: onFailure, apps: [{ status: ended(0) }] }, true],
    ["failed, OnFailure: comes back", { spec: onFailure, apps: [{ status: ended(1) }] }, false],
    ["between two runs in place", { spec: onFailure, apps: [{ status: backingOff }] }, false],
    ["ended well, Always: comes back", { spec: always, apps: [{ status: ended(0) }] }, false],
    ["one of two containers runs", { apps: [{ status: ended(0) }, { status: running(12) }] }, false],
    ["both ended", { apps: [{ status: ended(0) }, { status: ended(137) }] }, true],
    [
      "a container's own policy Never counts",
      { spec: always, apps: [{ spec: { restartPolicy: "Never" }, status: ended(1) }] },
      true,
    ],
    [
      "a container's own policy Always counts",
      { apps: [{ spec: { restartPolicy: "Always" }, status: ended(0) }] },
      false,
    ],
    [
      "restart rules decide: only the terminal phase is proof",
      { apps: [{ spec: rules, status: ended(0) }] },
      false,
    ],

    // The kubelet may not know yet that the pod is being deleted, and restart what failed before.
    [
      "failed, OnFailure, being deleted",
      { spec: onFailure, metadata: deleting, apps: [{ status: ended(1) }] },
      false,
    ],
    [
      "ended, Always, being deleted",
      { spec: always, metadata: deleting, apps: [{ status: ended(0) }] },
      false,
    ],
    ["ended, Never, being deleted", { metadata: deleting, apps: [{ status: ended(143) }] }, true],
    ["runs, being deleted", { metadata: deleting }, false],

    ["Succeeded", { status: { phase: "Succeeded" } }, true],
    [
      "Failed by its kubelet, although containers are shown as running",
      { status: { phase: "Failed" } },
      true,
    ],
    [
      "Failed after an eviction: its kubelet wrote the phase",
      { status: { phase: "Failed", ...evicted } },
      true,
    ],
    ["Failed by the pod garbage collector", { status: { phase: "Failed", ...collected } }, false],
    [
      "garbage-collected, although its containers are shown as ended",
      { status: collected, apps: [{ status: ended(0) }] },
      false,
    ],

    [
      "a user's sidecar runs",
      { init: [{ spec: sidecar, status: running(11) }], apps: [{ status: ended(0) }] },
      false,
    ],
    ["a user's sidecar crashed while main runs", { init: [{ spec: sidecar, status: ended(1) }] }, false],
    [
      "a user's sidecar ended after main",
      { init: [{ spec: sidecar, status: ended(0, 11) }], apps: [{ status: ended(0) }] },
      true,
    ],
    [
      "an init container runs",
      { init: [{ spec: {}, status: running(11) }], apps: [{ status: { state: { waiting: {} } } }] },
      false,
    ],
    [
      "an init container done, main ended",
      { init: [{ spec: {}, status: ended(0, 11) }], apps: [{ status: ended(0) }] },
      true,
    ],
    [
      "an init container failed: the kubelet will say so",
      { init: [{ spec: {}, status: ended(1, 11) }], apps: [{ status: { state: { waiting: {} } } }] },
      false,
    ],

    // Statuses of an earlier run that are shown while the gate runs or after it ran again.
    [
      "ended before this gate let it through",
      { gate: passedGate(TOKEN, 30), apps: [{ status: ended(0, 12, 20) }] },
      false,
    ],
    [
      "started in the second in which the gate ended",
      { gate: passedGate(TOKEN, 12), apps: [{ status: ended(0, 12) }] },
      true,
    ],
    [
      "the gate let it through under an earlier token",
      { gate: passedGate(TOKEN - 1), apps: [{ status: ended(0) }] },
      false,
    ],
    ["the gate runs again", { gate: running(25), apps: [{ status: ended(0) }] }, false],
    ["the gate's message is lost", { gate: ended(0, 1, 10), apps: [{ status: ended(0) }] }, false],
    ["the gate refused", { gate: ended(69, 1, 10), apps: [{ status: ended(0) }] }, false],
  ])("%s: %#", (_, given, isProof) => {
    expect(provesMainEnded(pod(given), TOKEN, false)).toBe(isProof);
  });
});

describe("a pod that is gone", () => {
  const unbound = {
    spec: { nodeName: undefined },
    status: { phase: "Pending" },
    gate: { state: { waiting: {} } },
  };
  test.each<[string, Given | undefined, { isFinal: boolean; nodeOutOfService: boolean }, boolean]>([
    ["vanished while it ran", {}, { isFinal: true, nodeOutOfService: false }, false],
    ["never seen", undefined, { isFinal: false, nodeOutOfService: false }, false],
    ["its node is out of service", {}, { isFinal: false, nodeOutOfService: true }, true],
    ["never seen, its node is out of service", undefined, { isFinal: false, nodeOutOfService: true }, true],
    [
      "its kubelet had said that it ended",
      { status: { phase: "Failed" } },
      { isFinal: false, nodeOutOfService: false },
      true,
    ],
    [
      "collected",
      { status: { phase: "Failed", ...collected } },
      { isFinal: true, nodeOutOfService: false },
      false,
    ],
    ["never bound, as its last version shows", unbound, { isFinal: true, nodeOutOfService: false }, true],
    [
      "not bound when last seen, but perhaps later",
      unbound,
      { isFinal: false, nodeOutOfService: false },
      false,
    ],
  ])("%s", (_, given, known, isProof) => {
    const last = given && pod(given);
    expect(isProven({ is: "gone", ...known, ...(last && { last }) }, TOKEN)).toBe(isProof);
  });

  test("a pod that exists proves nothing by being unbound or by a taint on its node", () => {
    expect(isProven({ is: "present", pod: pod(unbound) }, TOKEN)).toBe(false);
    expect(isProven({ is: "unknown" }, TOKEN)).toBe(false);
  });
});

test.each<[string, Given, { ever: boolean; under: boolean }]>([
  ["runs", {}, { ever: true, under: true }],
  ["crashes again and again", { apps: [{ status: backingOff }] }, { ever: true, under: true }],
  [
    "ran only in an earlier run",
    { gate: passedGate(TOKEN, 30), apps: [{ status: backingOff }] },
    { ever: true, under: false },
  ],
  [
    "only its init container ran",
    { init: [{ spec: {}, status: running(11) }], apps: [{ status: { state: { waiting: {} } } }] },
    { ever: false, under: false },
  ],
])("whether main has started: %s", (_, given, { ever, under }) => {
  expect(hasEverStarted(pod(given))).toBe(ever);
  expect(hasMainStarted(pod(given), TOKEN)).toBe(under);
});

test.each<[string, Given, boolean]>([
  ["past its gate, main runs", {}, true],
  ["past its gate, main not yet started", { apps: [{ status: { state: { waiting: {} } } }] }, true],
  ["past its gate, message lost, main ended", { gate: ended(0, 1, 10), apps: [{ status: ended(0) }] }, true],
  [
    "ended, whatever token its gate had",
    { gate: passedGate(TOKEN - 7), apps: [{ status: ended(0) }] },
    false,
  ],
  ["its gate waits", { gate: running(1) }, false],
  ["over", { status: { phase: "Succeeded" } }, false],
])("whether it may run under a hold that no Lease records: %s", (_, given, mayRun) => {
  expect(mayRunUnrecorded(pod(given))).toBe(mayRun);
});

test.each<[string, Given, boolean]>([
  ["began right after the gate", {}, true],
  ["restarted later, and may just have begun to fence", { keeper: running(25) }, false],
  ["ran since the gate of an earlier hold", { gate: passedGate(TOKEN - 1) }, false],
  ["has not started", { keeper: { state: { waiting: {} } } }, false],
])("whether the keeper has kept the hold: the keeper %s", (_, given, hasKept) => {
  expect(hasKeptSinceGate(pod(given), TOKEN)).toBe(hasKept);
});

const fence = { action: "RestartAllContainers", exitCodes: { operator: "In", values: [75] } };

test.each<[string, Given, boolean]>([
  ["the keeper runs", {}, true],
  ["the keeper crashed", { keeper: ended(137) }, false],
  ["the keeper waits to be started again", { keeper: { state: { waiting: {} } } }, false],
  ["the keeper has fenced", { keeper: ended(75), keeperRules: [fence] }, true],
  ["the keeper of a pod that cannot fence lost the hold", { keeper: ended(75) }, false],
  ["the gate runs, again or still", { gate: running(1), keeper: { state: { waiting: {} } } }, true],
])("whether main can run unguarded: %s", (_, given, guarded) => {
  expect(isGuarded(pod(given))).toBe(guarded);
});
