/** Mains that end by themselves, with a failure. */
import { expect } from "vitest";
import { PODS } from "../../../src/kube/resources.ts";
import { list, record, text } from "../../../src/shared/json.ts";
import { toBootMs } from "../boot-time.ts";
import type { Environment, Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { HANDED_ON_WITHIN_MS, handover, holdBefore } from "../handover.ts";
import { journalFunction } from "../journal.ts";
import { type Stage, setStage } from "../stage.ts";
import { podTemplate } from "../workload.ts";

const row = "main completes, fails, is OOM-killed";
const LATE_SECONDS = 6;

export const mainEnds: readonly Scenario[] = [
  {
    name: "a pod whose mains fail one after the other keeps its klease until the last one has failed",
    row,
    async run(environment) {
      const stage = await setStage(environment, "failing", { ttl: "1m" });
      const { namespace, journal } = stage;
      const { spec } = podTemplate({
        namespace,
        name: "old",
        journal,
        runsForSeconds: LATE_SECONDS,
        exitCode: 1,
      });
      const early = { ...spec.containers[0], name: "early", command: ["sh", "-c", "sleep 1; exit 1"] };
      await holdBefore(stage, { spec: { containers: [early, ...spec.containers] } });
      await stage.pod("old", "to have lost its first main", ({ main }) =>
        main.some(({ name, state }) => name === "early" && state === "terminated"),
      );
      const { old, next } = await handover(stage);
      expect(old.ended).toBe(true);
      expectWithin(environment, {
        what: "from the failure of the last main to the next one",
        measuredMs: next.fromMs - old.toMs,
        boundMs: HANDED_ON_WITHIN_MS,
      });
      await stage.pod("old", "to have failed", ({ phase }) => phase === "Failed");
    },
  },
  {
    name: "a main that is OOM-killed frees the klease",
    row,
    needsKubelet: "the process node limits no memory",
    async run(environment) {
      const stage = await setStage(environment, "hungry", { ttl: "1m" });
      // Without a memory limit, the allocation is refused and main exits.
      const lines = [
        journalFunction(stage.journal.path),
        "j start",
        "n=0; while [ $n -lt 50 ]; do j beat; sleep 0.1; n=$((n+1)); done",
        "ulimit -v 500000; exec tail -n 1 /dev/zero",
      ];
      const container = {
        command: ["sh", "-c", lines.join("\n")],
        resources: { limits: { memory: "32Mi" } },
      };
      await holdBefore(stage, { container });
      const { next } = await handover(stage);
      const { reason, finishedAt } = await terminationOfMain(environment, stage);
      expect(reason).toBe("OOMKilled");
      expectWithin(environment, {
        what: "from the end of a main that is OOM-killed, in whole seconds, to the next one",
        measuredMs: next.fromMs - toBootMs(Date.parse(text(finishedAt) ?? "")),
        boundMs: HANDED_ON_WITHIN_MS + 1_000,
      });
    },
  },
];

async function terminationOfMain(
  { client }: Environment,
  { namespace }: Stage,
): Promise<Record<string, unknown>> {
  const { status } = record(await client.get(PODS, { namespace, name: "old" }));
  const [main] = list(record(status)["containerStatuses"]).map(record);
  return record(record(main?.["state"])["terminated"]);
}
