/** What Jobs do by themselves, combined with a klease: suspend and resume, count or ignore failures, and be deleted once they have finished. */
import { expect } from "vitest";
import { JOBS } from "../../../src/kube/resources.ts";
import { list, record, text } from "../../../src/shared/json.ts";
import { ANNOTATION, EXIT } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Scenario } from "../environment.ts";
import { activeHold } from "../handover.ts";
import { overlaps } from "../journal.ts";
import { readPods, waitForJobs } from "../observe.ts";
import { setStage } from "../stage.ts";
import { job } from "../workload.ts";

export const jobFeatures: readonly Scenario[] = [
  {
    name: "a Job that is suspended while it holds frees the klease for the next pod, and queues again when it is resumed",
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setStage(environment, "paused", { ttl: "1m" });
      const { namespace, journal } = stage;
      const suspend = (value: boolean) =>
        kubectl(
          "-n",
          namespace,
          "patch",
          "job",
          "old",
          "--type=merge",
          "-p",
          JSON.stringify({ spec: { suspend: value } }),
        );
      await kubectl.withObject(
        job(
          { namespace, name: "old", lease: "paused", journal, onTerm: { afterSeconds: 2 } },
          { backoffLimit: 6 },
        ),
        "create",
      );
      const { holder: first } = await activeHold(stage);
      await stage.apply("next", { runsForSeconds: 3 });
      await stage.waits("next");
      await suspend(true);
      const next = await stage.holds("next");
      await stage.runs("next", 1);
      await suspend(false);
      const { holder: resumed } = await activeHold(stage, next);
      await suspend(true);
      await stage.atRest();
      const runs = await journal.runs();
      expect(overlaps(runs)).toEqual([]);
      expect(runs.map(({ by }) => by)).toEqual([first, "next", resumed]);
    },
  },
  {
    name: "podFailurePolicy: a rule for exit code 69 fails a Job at the first pod that is refused, whatever its backoffLimit",
    async run(environment) {
      const { kubectl, client } = environment;
      const stage = await setStage(environment, "once", { ttl: "1m" });
      const { namespace, journal } = stage;
      await stage.apply("first");
      await stage.runs("first", 1);
      const notGranted = { action: "FailJob", onExitCodes: { operator: "In", values: [EXIT.refused] } };
      const late = job(
        { namespace, name: "late", lease: "once", journal, annotations: { [ANNOTATION.ifHeld]: "fail" } },
        { backoffLimit: 6, podFailurePolicy: { rules: [notGranted] } },
      );
      await kubectl.withObject(late, "create");
      expect(await waitForJobs(environment, namespace)).toEqual({ failed: ["late"] });
      const { status } = record(await client.get(JOBS, { namespace, name: "late" }));
      const failed = list(record(status)["conditions"])
        .map(record)
        .find(({ type }) => type === "Failed");
      expect(text(failed?.["reason"])).toBe("PodFailurePolicy");
      expect(record(status)["failed"]).toBe(1);
      await stage.endMain("first");
      await stage.atRest();
      expect((await journal.runs()).map(({ by }) => by)).toEqual(["first"]);
    },
  },
  {
    name: "ttlSecondsAfterFinished: a skipped Job and a Job that ran are both deleted in time, and their pods are, too",
    async run(environment) {
      const { kubectl, client } = environment;
      const stage = await setStage(environment, "tidy", { ttl: "1m" });
      const { namespace, journal } = stage;
      const workload = { namespace, lease: "tidy", journal, annotations: { [ANNOTATION.ifHeld]: "skip" } };
      const create = (name: string) =>
        kubectl.withObject(
          job({ ...workload, name, runsForSeconds: 5 }, { ttlSecondsAfterFinished: 1 }),
          "create",
        );
      await create("runs");
      const { holder: first } = await activeHold(stage);
      await create("skipped");
      await waitFor({
        what: "both Jobs to be deleted",
        withinMs: 60_000,
        holds: async () => (await client.list(JOBS, { namespace })).items.length === 0,
      });
      const { status } = await stage.atRest();
      expect(status.skipped).toBe(1);
      expect((await journal.runs()).map(({ by, ended }) => [by, ended])).toEqual([[first, true]]);
      await waitFor({
        what: "their pods to be gone",
        withinMs: 30_000,
        holds: async () => (await readPods(environment, namespace)).length === 0,
      });
    },
  },
];
