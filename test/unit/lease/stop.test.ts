import { describe, expect, it } from "vitest";
import { hasPostStart, type StoppablePodSpec, stopMs } from "../../../src/lease/stop.ts";

const keeper = { name: "konductor-keeper", restartPolicy: "Always" };
const probed = (seconds?: number) =>
  seconds === undefined ? {} : { terminationGracePeriodSeconds: seconds };

const CASES: [string, StoppablePodSpec, number][] = [
  ["one container", { containers: [{ name: "main" }] }, 5_000],
  ["four containers", { containers: ["a", "b", "c", "d"].map((name) => ({ name })) }, 11_000],
  [
    "a sidecar counts; gate, keeper and a plain init container do not",
    {
      initContainers: [
        { name: "mesh", restartPolicy: "Always" },
        { name: "konductor-gate" },
        keeper,
        { name: "setup" },
      ],
      containers: [{ name: "main" }],
    },
    7_000,
  ],
  ["a liveness probe adds the default grace", { containers: [{ name: "main", livenessProbe: {} }] }, 35_000],
  [
    "a startup probe adds the pod's grace",
    { terminationGracePeriodSeconds: 10, containers: [{ name: "main", startupProbe: {} }] },
    15_000,
  ],
  [
    "the probe's own grace wins over the pod's",
    { terminationGracePeriodSeconds: 60, containers: [{ name: "main", livenessProbe: probed(1) }] },
    6_000,
  ],
  [
    "of several graces the longest counts",
    {
      terminationGracePeriodSeconds: 5,
      initContainers: [{ name: "side", restartPolicy: "Always", livenessProbe: probed(20) }],
      containers: [{ name: "main", startupProbe: probed(7), livenessProbe: {} }],
    },
    27_000,
  ],
  [
    "grace without a probe does not count",
    { terminationGracePeriodSeconds: 600, containers: [{ name: "main" }] },
    5_000,
  ],
];

describe("stopMs", () => {
  it.each(CASES)("%s", (_name, spec, ms) => {
    expect(stopMs(spec)).toBe(ms);
  });
});

describe("hasPostStart", () => {
  const hook = { lifecycle: { postStart: { exec: { command: ["true"] } } } };

  it.each<[string, StoppablePodSpec, boolean]>([
    ["none", { containers: [{ name: "main" }] }, false],
    ["another hook", { containers: [{ name: "main", lifecycle: {} }] }, false],
    ["on a container", { containers: [{ name: "main", ...hook }] }, true],
    [
      "on a sidecar",
      { initContainers: [{ name: "s", restartPolicy: "Always", ...hook }], containers: [] },
      true,
    ],
    [
      "on our own keeper",
      { initContainers: [{ ...keeper, ...hook }], containers: [{ name: "main" }] },
      false,
    ],
  ])("%s", (_name, spec, expected) => {
    expect(hasPostStart(spec)).toBe(expected);
  });
});
