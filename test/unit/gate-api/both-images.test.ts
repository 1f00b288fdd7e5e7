/** A deleted pod in which both of our images were changed at once. This behaviour is known to be wrong. */
import { expect, test } from "vitest";
import { parsePod } from "../../../src/lease/pod.ts";
import { provesEnd } from "../../../src/lease/proof.ts";
import { GATE_CONTAINER, KEEPER_CONTAINER, passMessage } from "../../../src/shared/names.ts";

const TOKEN = 42;
const since = (startedAt: string) => ({ state: { running: { startedAt } } });

/** A pod whose main runs while the kubelet stops the keeper because of its new image. */
const podWith = (gateImage: string, keeperImage: string) =>
  parsePod({
    metadata: {
      ...{ namespace: "a", name: "me", uid: "me", generation: 3 },
      ...{ deletionTimestamp: "2026-01-01T00:10:30Z", deletionGracePeriodSeconds: 30 },
    },
    spec: {
      initContainers: [
        { name: GATE_CONTAINER, image: gateImage },
        { name: KEEPER_CONTAINER, image: keeperImage, restartPolicy: "Always" },
      ],
      containers: [{ name: "main" }],
    },
    status: {
      phase: "Running",
      initContainerStatuses: [
        {
          name: GATE_CONTAINER,
          image: "konductor:1",
          state: {
            terminated: { exitCode: 0, finishedAt: "2026-01-01T00:00:05Z", message: passMessage(TOKEN) },
          },
        },
        { name: KEEPER_CONTAINER, image: "konductor:1", ...since("2026-01-01T00:00:06Z") },
      ],
      containerStatuses: [{ name: "main", ...since("2026-01-01T00:00:07Z") }],
    },
  });

test("a keeper that was stopped for its new image counts as stopped after main, if the gate's image was changed, too", () => {
  expect(provesEnd(podWith("konductor:1", "konductor:2"), TOKEN, 40)).toBe(false);
  expect(provesEnd(podWith("konductor:2", "konductor:2"), TOKEN, 40)).toBe(true);
});
