import { describe, expect, test } from "vitest";
import { warnRollout } from "../../../src/server/admission/rollout.ts";
import { ownerWith } from "./fixtures.ts";

const warn = (kind: string, spec: object) => warnRollout(kind, ownerWith({}, {}, spec));
const rolling = (rollingUpdate: object) => ({ strategy: { type: "RollingUpdate", rollingUpdate } });
const patient = { progressDeadlineSeconds: 2_147_483_647 };
const never = [expect.stringMatching(/^spec\.strategy: a rolling update never ends/)];

describe("a rolling update of a Deployment", () => {
  test.each([
    ["with the default strategy", {}],
    ["of one pod with surge", { replicas: 1, ...rolling({ maxUnavailable: "25%", maxSurge: "25%" }) }],
    ["that keeps one of two pods", { replicas: 2, ...patient, ...rolling({ maxUnavailable: 1 }) }],
    ["that keeps one of three pods", { replicas: 3, ...patient, ...rolling({ maxUnavailable: "99%" }) }],
  ])("%s never ends", (_, spec) => {
    expect(warn("Deployment", spec)).toEqual(never);
  });

  test.each([
    ["Recreate", { replicas: 2, ...patient, strategy: { type: "Recreate" } }],
    ["all pods may be unavailable", { replicas: 2, ...patient, ...rolling({ maxUnavailable: "100%" }) }],
    [
      "as many pods may be unavailable as there are",
      { replicas: 2, ...patient, ...rolling({ maxUnavailable: 2 }) },
    ],
    ["one pod without surge", { replicas: 1, ...rolling({ maxUnavailable: "25%", maxSurge: 0 }) }],
    ["no pods", { replicas: 0 }],
  ])("ends: %s", (_, spec) => {
    expect(warn("Deployment", spec)).toEqual([]);
  });
});

test("standby pods make a Deployment miss its progress deadline, unless it sets none", () => {
  const recreate = { replicas: 2, strategy: { type: "Recreate" } };
  const late = [expect.stringMatching(/^spec\.replicas: of 2 pods .* 2147483647 /)];
  expect(warn("Deployment", recreate)).toEqual(late);
  expect(warn("Deployment", { ...recreate, progressDeadlineSeconds: 600 })).toEqual(late);
});

test("a StatefulSet of several pods must be replaced by hand", () => {
  expect(warn("StatefulSet", { replicas: 2 })).toEqual([
    expect.stringMatching(/^spec\.updateStrategy: .*OnDelete/),
  ]);
  expect(warn("StatefulSet", { replicas: 2, updateStrategy: { type: "OnDelete" } })).toEqual([]);
  expect(warn("StatefulSet", { replicas: 1 })).toEqual([]);
  expect(warn("DaemonSet", {})).toEqual([]);
});
