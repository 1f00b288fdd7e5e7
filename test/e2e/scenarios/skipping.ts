/** Jobs that complete without running: `if-held: skip`, and `max-waiting` for the runs of one CronJob. */
import { writeFile } from "node:fs/promises";
import { expect } from "vitest";
import { EVENTS, JOBS } from "../../../src/kube/resources.ts";
import { list, record, text } from "../../../src/shared/json.ts";
import { ANNOTATION, LEASE_LABEL } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Environment, Scenario } from "../environment.ts";
import { overlaps } from "../journal.ts";
import { readLease, readPods, waitForJobs } from "../observe.ts";
import { setStage } from "../stage.ts";
import { waitForEnded } from "../turns.ts";
import { job, pod } from "../workload.ts";

const CROWD = 20;
const skips = { [ANNOTATION.ifHeld]: "skip" };

/** Why each Job of the namespace is Complete, by the Job's name; undefined while a Job is not. */
async function completions(
  { client }: Environment,
  namespace: string,
): Promise<Map<string, string | undefined>> {
  const { items } = await client.list(JOBS, { namespace });
  return new Map(
    items.map(record).map((object) => {
      const conditions = list(record(object["status"])["conditions"]).map(record);
      const complete = conditions.find(({ type, status }) => type === "Complete" && status === "True");
      return [text(record(object["metadata"])["name"]) ?? "", text(complete?.["reason"])];
    }),
  );
}

async function eventsOf({ client }: Environment, namespace: string, kind: string, reason: string) {
  const { items } = await client.list(EVENTS, { namespace });
  return items
    .map(record)
    .filter((event) => record(event["involvedObject"])["kind"] === kind && event["reason"] === reason);
}

export const skipping: readonly Scenario[] = [
  {
    name: `if-held: skip: of ${CROWD} Jobs created at once one runs, and the others are Complete without having used a node`,
    async run(environment) {
      const stage = await setStage(environment, "once", { ttl: "1m" });
      const { namespace, journal } = stage;
      const items = Array.from({ length: CROWD }, (_, index) =>
        job({
          namespace,
          name: `run-${index}`,
          lease: "once",
          annotations: skips,
          journal,
        }),
      );
      await environment.kubectl.withObject({ apiVersion: "v1", kind: "List", items }, "create");
      await waitFor({
        what: "all Jobs but one to be skipped",
        withinMs: 90_000,
        async holds() {
          const reasons = [...(await completions(environment, namespace)).values()];
          return reasons.filter((reason) => reason === "LeaseHeld").length === CROWD - 1;
        },
      });
      const [runner, ...others] = await readPods(environment, namespace);
      expect(others).toEqual([]);
      if (!runner) throw new Error("no Job has run");
      await stage.runs(runner.name, 1);
      await stage.endMain(runner.name);
      expect((await waitForJobs(environment, namespace)).failed).toEqual([runner.job?.name]);
      expect((await journal.runs()).map(({ by }) => by)).toEqual([runner.name]);
      const { status } = await stage.atRest();
      expect({ skipped: status.skipped, held: status.history.length }).toEqual({
        skipped: CROWD - 1,
        held: 1,
      });
      await waitFor({
        what: "an event for every Job that was skipped",
        withinMs: 30_000,
        holds: async () => (await eventsOf(environment, namespace, "Job", "Skipped")).length === CROWD - 1,
      });
    },
  },
  {
    name: "if-held: skip: all pods of an Indexed Job with a successPolicy run one after the other; a second Job is skipped meanwhile",
    async run(environment) {
      const stage = await setStage(environment, "parts", { ttl: "1m" });
      const { namespace, journal } = stage;
      const indexed = {
        completionMode: "Indexed",
        completions: 3,
        parallelism: 3,
        successPolicy: { rules: [{ succeededIndexes: "0-2" }] },
      };
      const workload = { namespace, lease: "parts", annotations: skips, journal };
      const skipped = `${journal.path}.skipped`;
      await environment.kubectl.withObject(
        job({ ...workload, name: "first", runsUntil: skipped }, indexed),
        "create",
      );
      await waitFor({
        what: "a pod of the first Job to run",
        withinMs: 60_000,
        holds: async () => (await journal.runs()).length > 0,
      });
      await environment.kubectl.withObject(
        job({ ...workload, name: "second", runsForSeconds: 1 }, indexed),
        "create",
      );
      await waitFor({
        what: "the second Job to be skipped",
        withinMs: 60_000,
        holds: async () => (await completions(environment, namespace)).get("second") === "LeaseHeld",
      });
      await writeFile(skipped, "");
      expect(await waitForJobs(environment, namespace)).toEqual({ failed: [] });
      const runs = await journal.runs();
      // On a kubelet, the host name of an indexed pod consists only of the Job's name and the index.
      expect(runs.map(({ by }) => by.replace(/-\d(-.*)?$/, ""))).toEqual(["first", "first", "first"]);
      expect(overlaps(runs)).toEqual([]);
      expect((await completions(environment, namespace)).get("second")).toBe("LeaseHeld");
    },
  },
  {
    name: "if-held: skip is refused with a sentence for everything but a Job",
    async run(environment) {
      const namespace = await environment.createNamespace();
      const journal = environment.journal(`${namespace}-none`);
      const bare = pod({ namespace, name: "bare", lease: "any", annotations: skips, journal });
      await expect(environment.kubectl.withObject(bare, "create")).rejects.toThrow(
        'metadata.annotations[konductor.io/if-held]: Invalid value: "skip": only the pods of a Job can be skipped',
      );
      const managed = job({ namespace, name: "managed", lease: "any", annotations: skips, journal });
      const spec = { ...managed.spec, managedBy: "example.com/controller" };
      await expect(environment.kubectl.withObject({ ...managed, spec }, "create")).rejects.toThrow(
        'spec.managedBy: Invalid value: "example.com/controller"',
      );
    },
  },
  {
    name: "max-waiting: while a run of a CronJob hangs, as many runs wait as allowed, and further runs are skipped with an event",
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setStage(environment, "hung", { ttl: "1m" });
      const { namespace, journal } = stage;
      const hung = await stage.apply("hung");
      await stage.holds("hung");
      for (const [name, most] of [
        ["report", "1"],
        ["impatient", "0"],
      ] as const) {
        const annotations = { [ANNOTATION.maxWaiting]: most };
        const { spec } = job({ namespace, name: "any", journal, annotations, runsForSeconds: 0.5 });
        const cronJob = {
          apiVersion: "batch/v1",
          kind: "CronJob",
          metadata: { namespace, name, labels: { [LEASE_LABEL]: "hung" } },
          spec: { schedule: "0 0 1 1 *", suspend: true, jobTemplate: { spec } },
        };
        await kubectl.withObject(cronJob, "apply");
      }
      const start = (name: string, cronJob: string) =>
        kubectl("-n", namespace, "create", "job", name, `--from=cronjob/${cronJob}`);
      await start("first", "report");
      await stage.lease("the first run to wait", ({ status }) => status.waiters === 1);
      for (const [name, cronJob] of [
        ["second", "report"],
        ["third", "report"],
        ["only", "impatient"],
      ] as const) {
        await start(name, cronJob);
        await waitFor({
          what: `${name} to be skipped`,
          withinMs: 60_000,
          holds: async () => (await completions(environment, namespace)).get(name) === "LeaseHeld",
        });
      }
      await stage.endMain(hung.name);
      await waitForEnded(stage, 2);
      expect(await waitForJobs(environment, namespace)).toEqual({ failed: [] });
      expect((await journal.runs()).map(({ by }) => by.replace(/-.*/, ""))).toEqual(["hung", "first"]);
      expect((await readLease(environment, namespace, "hung")).status.skipped).toBe(3);
      expect(await eventsOf(environment, namespace, "Lease", "Skipped")).toHaveLength(3);
    },
  },
];
