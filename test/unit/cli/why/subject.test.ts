import { expect, test } from "vitest";
import { parseJobSubject, parsePodSubject } from "../../../../src/cli/why/subject.ts";

const GATE = { name: "konductor-gate", command: ["/usr/bin/node"] };
const pod = (status: object, spec: object = {}) => ({
  metadata: {
    name: "a",
    uid: "u",
    creationTimestamp: "2026-01-01T00:00:00Z",
    labels: { "konductor.io/lease": "nightly" },
  },
  spec: {
    initContainers: [
      { name: "mesh-init" },
      { name: "mesh", restartPolicy: "Always" },
      GATE,
      { name: "mine" },
    ],
    containers: [{ name: "main" }],
    ...spec,
  },
  status,
});
const terminated = (name: string, exitCode: number, message?: string) => ({
  name,
  state: { terminated: { exitCode, ...(message && { message }) } },
});

test.each([
  ["nothing has run", {}, { before: ["mesh-init", "mesh"], lacksSandbox: false, otherGates: [] }],
  [
    "the mesh is up",
    {
      initContainerStatuses: [
        terminated("mesh-init", 0),
        { name: "mesh", started: true, state: { running: {} } },
      ],
    },
    { before: [] },
  ],
  [
    "the mesh fails",
    { initContainerStatuses: [terminated("mesh-init", 1)] },
    { before: ["mesh-init", "mesh"] },
  ],
  [
    "no node",
    {
      conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/1 nodes" }],
    },
    { unscheduled: "0/1 nodes" },
  ],
  [
    "no sandbox",
    { conditions: [{ type: "PodReadyToStartContainers", status: "False" }] },
    { lacksSandbox: true },
  ],
  [
    "no image",
    {
      initContainerStatuses: [
        { name: "konductor-gate", state: { waiting: { reason: "ErrImagePull", message: "no" } } },
      ],
    },
    { gateWaits: { reason: "ErrImagePull", message: "no" } },
  ],
  [
    "the gate was refused",
    { initContainerStatuses: [terminated("konductor-gate", 69, "held\n")] },
    { gateExit: { code: 69, message: "held" } },
  ],
  [
    "the gate was refused before",
    {
      initContainerStatuses: [
        {
          name: "konductor-gate",
          state: { waiting: { reason: "CrashLoopBackOff" } },
          lastState: { terminated: { exitCode: 69, message: "held" } },
        },
      ],
    },
    { gateExit: { code: 69, message: "held" }, gateWaits: { reason: "CrashLoopBackOff", message: "" } },
  ],
])("of a pod it is seen that %s", (_, status, expected) => {
  expect(parsePodSubject(pod(status))).toMatchObject({
    createdMs: Date.parse("2026-01-01T00:00:00Z"),
    ...expected,
  });
});

test("scheduling gates of others are named, and ours is not", () => {
  const schedulingGates = [{ name: "konductor.io/lease" }, { name: "kueue.x-k8s.io/admission" }];
  expect(parsePodSubject(pod({}, { schedulingGates })).otherGates).toEqual(["kueue.x-k8s.io/admission"]);
});

test.each([
  [[], undefined],
  [[{ type: "Suspended", status: "True", reason: "JobSuspended" }], undefined],
  [[{ type: "Failed", status: "False", reason: "No" }], undefined],
  [
    [
      { type: "SuccessCriteriaMet", status: "True", reason: "LeaseHeld", message: "held" },
      { type: "Complete", status: "True", reason: "LeaseHeld", message: "held" },
    ],
    { type: "Complete", reason: "LeaseHeld", message: "held" },
  ],
  [
    [{ type: "FailureTarget", status: "True", reason: "PodFailurePolicy" }],
    { type: "FailureTarget", reason: "PodFailurePolicy", message: "" },
  ],
])("the conditions %j say how a Job has ended", (conditions, end) => {
  expect(parseJobSubject({ metadata: { name: "report" }, status: { conditions } }).end).toEqual(end);
});
