import { expect } from "vitest";
import { JOBS, LEASES, PODS } from "../../../src/kube/resources.ts";
import { record } from "../../../src/shared/json.ts";
import { ANNOTATION, LEASE_LABEL } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import { isBrief } from "../../extent.ts";
import type { Scenario } from "../environment.ts";
import { readLease, waitForJobs } from "../observe.ts";
import { setStage } from "../stage.ts";
import { expectTurns, waitForEnded, waitForQueue } from "../turns.ts";
import { job, pod } from "../workload.ts";

/** Each waiting pod is a process: most of them are for a night. */
const CROWD = isBrief(process.env) ? 20 : 50;

export const queue: readonly Scenario[] = [
  {
    name: `kill -9 of the arbiter, then of every replica, in the middle of ${CROWD} queued pods: no overlap, no pod forgotten`,
    row: "arbiter killed, two arbiters at once",
    home: "process",
    locks: ["konductor"],
    timeoutMs: 480_000,
    async run(environment) {
      const { kubectl, konductor } = environment;
      const stage = await setStage(environment, "crowd", { ttl: "1m" });
      const { namespace, journal } = stage;
      const first = await stage.apply("first");
      await stage.holds("first");
      const items = Array.from({ length: CROWD }, (_, index) =>
        job({ namespace, name: `run-${index}`, lease: "crowd", journal, runsForSeconds: 0.3 }),
      );
      await kubectl.withObject({ apiVersion: "v1", kind: "List", items }, "create");
      await waitForQueue(environment, stage, CROWD, 180_000);
      await stage.endMain(first.name);

      await waitForEnded(stage, CROWD * 0.2, 120_000);
      await konductor.killArbiter();
      await waitForEnded(stage, CROWD * 0.5, 120_000);
      await konductor.stop();
      await konductor.start();
      expect(await waitForJobs(environment, namespace, 240_000)).toEqual({ failed: [] });
      await expectTurns(environment, stage, CROWD + 1);
      await stage.atRest();
    },
  },
  {
    name: "a label on a CronJob, on its jobTemplate or on a Job is copied to the pods, and they queue",
    isSmoke: true,
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setStage(environment, "report", { ttl: "1m" });
      const { namespace, journal } = stage;
      const labels = { [LEASE_LABEL]: "report" };
      const annotations = { [ANNOTATION.maxWaiting]: "9" };
      const { spec } = job({ namespace, name: "any", journal, runsForSeconds: 1 });
      const cronJob = (name: string, on: { metadata?: object; jobTemplate?: object }) => ({
        apiVersion: "batch/v1",
        kind: "CronJob",
        metadata: { namespace, name, ...on.metadata },
        // This schedule never fires during a test.
        spec: { schedule: "0 0 1 1 *", suspend: true, jobTemplate: { ...on.jobTemplate, spec } },
      });
      const items = [
        cronJob("on-cron-job", { metadata: { labels, annotations } }),
        cronJob("on-job-template", { jobTemplate: { metadata: { labels, annotations } } }),
        ...["first", "second"].map((name) => ({
          apiVersion: "batch/v1",
          kind: "Job",
          metadata: { namespace, name: `on-job-${name}`, labels },
          spec,
        })),
      ];
      await kubectl.withObject({ apiVersion: "v1", kind: "List", items }, "apply");
      for (const name of ["on-cron-job", "on-job-template"]) {
        for (const run of ["first", "second"])
          await kubectl("-n", namespace, "create", "job", `${name}-${run}`, `--from=cronjob/${name}`);
      }
      expect(await waitForJobs(environment, namespace)).toEqual({ failed: [] });
      await expectTurns(environment, stage, 6);
    },
  },
  {
    name: "a klease that does not exist is created, with 10m or the ttl annotation, and kubectl shows a warning",
    async run(environment) {
      const { client, kubectl } = environment;
      const namespace = await environment.createNamespace();
      for (const { name, annotations, ttl, ttlMs } of [
        { name: "plain", annotations: {}, ttl: "10m", ttlMs: 600_000 },
        { name: "annotated", annotations: { [ANNOTATION.ttl]: "90s" }, ttl: "1m30s", ttlMs: 90_000 },
      ]) {
        const journal = environment.journal(`${namespace}-${name}`);
        const workload = job({ namespace, name, lease: name, annotations, journal, runsForSeconds: 1 });
        const warning = `klease ${name} does not exist in namespace ${namespace}; it will be created with ttl ${ttl}`;
        // The Job is created nevertheless; the warning is about its template.
        await expect(kubectl.withObject(workload, "create", "--warnings-as-errors")).rejects.toThrow(warning);
        await client.get(JOBS, { namespace, name });
        expect(await waitForJobs(environment, namespace)).toEqual({ failed: [] });
        expect((await readLease(environment, namespace, name)).spec.ttlMs).toBe(ttlMs);
        await expectTurns(environment, { namespace, journal }, 1);
      }
    },
  },
  {
    name: "a pod without a priority annotation has the klease's priority",
    async run(environment) {
      const stage = await setStage(environment, "ranked", { ttl: "1m", priority: 5 });
      const first = await stage.apply("first");
      await stage.holds("first");
      for (const [name, priority] of [
        ["below", "4"],
        ["unset", undefined],
        ["above", "6"],
      ] as const) {
        const annotations = priority === undefined ? {} : { [ANNOTATION.priority]: priority };
        await stage.apply(name, { annotations, runsForSeconds: 0.5 });
        await stage.waits(name);
      }
      await stage.endMain(first.name);
      await waitForEnded(stage, 4);
      expect((await stage.journal.runs()).map(({ by }) => by)).toEqual(["first", "above", "unset", "below"]);
    },
  },
  {
    name: "a changed priority of the klease applies to pods that wait already",
    async run(environment) {
      const stage = await setStage(environment, "reranked", { ttl: "1m" });
      const { namespace } = stage;
      const first = await stage.apply("first");
      await stage.holds("first");
      await stage.apply("annotated", { annotations: { [ANNOTATION.priority]: "3" }, runsForSeconds: 0.5 });
      await stage.apply("unset", { runsForSeconds: 0.5 });
      await stage.waits("annotated");
      await stage.waits("unset");
      const raised = { spec: { priority: 4 } };
      await environment.client.patch(LEASES, { namespace, name: "reranked" }, raised, { type: "merge" });
      await stage.endMain(first.name);
      await waitForEnded(stage, 3);
      expect((await stage.journal.runs()).map(({ by }) => by)).toEqual(["first", "unset", "annotated"]);
    },
  },
  {
    name: "an unlabelled pod is stored as it was sent",
    async run(environment) {
      const { client, kubectl } = environment;
      const namespace = await environment.createNamespace();
      const journal = environment.journal(`${namespace}-plain`);
      await kubectl.withObject(pod({ namespace, name: "plain", journal, runsForSeconds: 0.5 }), "create");
      const stored = record(await client.get(PODS, { namespace, name: "plain" }));
      expect(record(stored["metadata"])["annotations"]).toBeUndefined();
      expect(record(stored["spec"])["initContainers"]).toBeUndefined();
      await waitFor({
        what: "the pod to end",
        withinMs: 60_000,
        holds: async () => (await journal.runs()).some(({ ended }) => ended),
      });
    },
  },
];
