/** Pods that are granted the klease but cannot use it. */
import { expect } from "vitest";
import { ANNOTATION } from "../../../src/shared/names.ts";
import { toBootMs } from "../boot-time.ts";
import type { Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { HANDED_ON_WITHIN_MS } from "../handover.ts";
import { overlaps } from "../journal.ts";
import { setStage } from "../stage.ts";
import { BUSYBOX_IMAGE, type Workload } from "../workload.ts";

const START_TIMEOUT_MS = 5_000;
const TTL_MS = 15_000;
/** How long one container may take to stop. */
const STOP_MS = 5_000;

const OBSTACLES: readonly { what: string; details: Partial<Workload> }[] = [
  {
    what: "whose image is missing",
    details: { container: { image: "konductor.test/missing:1", imagePullPolicy: "Never" } },
  },
  {
    what: "whose own init container fails again and again",
    details: { spec: { initContainers: [{ name: "prepare", image: BUSYBOX_IMAGE, command: ["false"] }] } },
  },
];

export const neverStarts: readonly Scenario[] = OBSTACLES.map(
  ({ what, details }): Scenario => ({
    name: `a pod ${what} loses its klease after start-timeout, and queues again behind the next pod`,
    row: "main never starts",
    needsKubelet: "the process node has no images, and no RestartAllContainers",
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setStage(environment, "unused", { ttl: "15s" });
      const annotations = { [ANNOTATION.startTimeout]: "5s" };
      await stage.apply("old", { ...details, annotations, restartPolicy: "OnFailure" });
      const unused = await stage.holds("old");
      await stage.apply("next", { runsForSeconds: 1 });
      const [next] = await stage.runs("next", 1);
      expectWithin(environment, {
        what: `a pod ${what}: from its grant to the next main`,
        measuredMs: (next?.fromMs ?? Number.NaN) - toBootMs(unused.acquiredMs),
        // Its keeper learns of the revocation at its next renewal.
        boundMs: START_TIMEOUT_MS + TTL_MS / 3 + STOP_MS + HANDED_ON_WITHIN_MS,
      });

      const again = await stage.holds("old");
      expect(again.token).toBeGreaterThan(unused.token + 1);
      await kubectl("-n", stage.namespace, "delete", "pod", "old", "--wait=false");
      const { status } = await stage.atRest();
      expect(
        status.history
          .toReversed()
          .slice(0, 2)
          .map(({ holder }) => holder),
      ).toEqual(["old", "next"]);
      const runs = await stage.journal.runs();
      expect(overlaps(runs)).toEqual([]);
      expect(runs.map(({ by }) => by)).toEqual(["next"]);
    },
  }),
);
