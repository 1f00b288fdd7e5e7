import { describe, expect, test } from "vitest";
import { parsePod } from "../../../src/lease/pod.ts";
import { GATE_CONTAINER, KEEPER_CONTAINER, passMessage } from "../../../src/shared/names.ts";
import { provesEnd } from "../../../src/webhook/gate-api/release.ts";

const TOKEN = 42;
const MAIN_RUN = { startedAt: "2026-01-01T00:00:06Z" };

interface Case {
  sincePreStopMs: number | undefined;
  isStarted?: boolean;
  hasEnded?: boolean;
  graceSeconds?: number;
  token?: number;
}

function podOf({ isStarted = true, hasEnded = false, graceSeconds, token = TOKEN }: Case) {
  const gate = { exitCode: 0, startedAt: "2026-01-01T00:00:00Z", finishedAt: "2026-01-01T00:00:05Z" };
  return parsePod({
    metadata: {
      namespace: "a",
      name: "b",
      uid: "c",
      ...(graceSeconds !== undefined && {
        deletionTimestamp: "2026-01-01T00:10:00Z",
        deletionGracePeriodSeconds: graceSeconds,
      }),
    },
    spec: {
      initContainers: [{ name: GATE_CONTAINER }, { name: KEEPER_CONTAINER, restartPolicy: "Always" }],
      containers: [{ name: "main" }],
    },
    status: {
      phase: "Running",
      initContainerStatuses: [
        { name: GATE_CONTAINER, state: { terminated: { ...gate, message: passMessage(token) } } },
      ],
      containerStatuses: [
        {
          name: "main",
          state: !isStarted ? { waiting: {} } : hasEnded ? { terminated: MAIN_RUN } : { running: MAIN_RUN },
        },
      ],
    },
  });
}

describe("the keeper's SIGTERM tells that main has ended", () => {
  test.each<[string, Case]>([
    ["right after the preStop: the pod completed", { sincePreStopMs: 499, hasEnded: true }],
    ["within the grace period of a deleted pod, less a second", { sincePreStopMs: 28_999, graceSeconds: 30 }],
    ["right after the preStop of a deleted pod", { sincePreStopMs: 40, graceSeconds: 30 }],
  ])("%s", (_what, input) => {
    expect(provesEnd(podOf(input), TOKEN, input.sincePreStopMs)).toBe(true);
  });

  test.each<[string, Case]>([
    ["when it is not known how long the preStop ago was", { sincePreStopMs: undefined, graceSeconds: 30 }],
    ["when main is seen running: the keeper alone was stopped", { sincePreStopMs: 40 }],
    ["when no main container has started", { sincePreStopMs: 40, isStarted: false }],
    ["when main started under an earlier hold", { sincePreStopMs: 40, token: TOKEN - 1 }],
    ["half a second after the preStop of a pod that is not deleted", { sincePreStopMs: 500, hasEnded: true }],
    ["in the last second of the grace period", { sincePreStopMs: 29_000, graceSeconds: 30 }],
    ["when there is no grace period", { sincePreStopMs: 500, graceSeconds: 0 }],
  ])("but not %s", (_what, input) => {
    expect(provesEnd(podOf(input), TOKEN, input.sincePreStopMs)).toBe(false);
  });
});
