/** More than one replica that believes that it is the arbiter. */
import { expect } from "vitest";
import { CONFIRM_WITHIN_MS } from "../../../src/lease/decision.ts";
import { overtakeArbiter } from "../election.ts";
import type { Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { HANDED_ON_WITHIN_MS } from "../handover.ts";
import { waitForJobs } from "../observe.ts";
import { setStage } from "../stage.ts";
import { expectTurns, waitForEnded, waitForQueue } from "../turns.ts";
import { job } from "../workload.ts";

const CROWD = 12;
const PAUSES = 2;
const ELECTED_WITHIN_MS = 8_000;

export const arbiters: readonly Scenario[] = [
  {
    name: "an arbiter that is paused until another is elected, and then resumed, grants nothing twice and forgets no waiter",
    row: "arbiter killed, two arbiters at once",
    home: "process",
    locks: ["konductor"],
    timeoutMs: 240_000,
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setStage(environment, "crowd", { ttl: "1m" });
      const { namespace, journal } = stage;
      const first = await stage.apply("first");
      await stage.runs("first", 1);
      const items = Array.from({ length: CROWD }, (_, index) =>
        job({ namespace, name: `run-${index}`, lease: "crowd", journal, runsForSeconds: 0.5 }),
      );
      await kubectl.withObject({ apiVersion: "v1", kind: "List", items }, "create");
      await waitForQueue(environment, stage, CROWD);
      await stage.endMain(first.name);

      for (let pause = 1; pause <= PAUSES; pause++) {
        await waitForEnded(stage, pause * 3);
        await overtakeArbiter(environment);
      }
      expect(await waitForJobs(environment, namespace, 180_000)).toEqual({ failed: [] });
      await expectTurns(environment, stage, CROWD + 1);
      await stage.atRest();
      const runs = (await journal.runs()).toSorted((a, b) => a.fromMs - b.fromMs);
      const idleMs = runs.slice(1).map(({ fromMs }, index) => fromMs - (runs[index]?.toMs ?? Number.NaN));
      expectWithin(environment, {
        what: "two arbiters at once: longest time without a main while pods waited",
        measuredMs: Math.max(...idleMs),
        boundMs: ELECTED_WITHIN_MS + CONFIRM_WITHIN_MS + HANDED_ON_WITHIN_MS,
      });
    },
  },
];
