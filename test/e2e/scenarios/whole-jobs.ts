/** `gate: job`: a Job waits suspended, and all of its pods run under one hold. */
import { writeFile } from "node:fs/promises";
import { expect } from "vitest";
import { JOBS } from "../../../src/kube/resources.ts";
import { EXPIRY_ALLOWANCE_MS } from "../../../src/lease/decision.ts";
import { type JobView, parseJob } from "../../../src/lease/job.ts";
import type { Hold } from "../../../src/lease/types.ts";
import { list, record, text } from "../../../src/shared/json.ts";
import { ANNOTATION, EXIT } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import { cutOff } from "../cut-off.ts";
import type { Environment, Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { HANDED_ON_WITHIN_MS } from "../handover.ts";
import { overlaps, type Run } from "../journal.ts";
import { readPods, waitForJobs } from "../observe.ts";
import { type Stage, setStage } from "../stage.ts";
import { job, pod, type Workload } from "../workload.ts";

const WHOLE = { [ANNOTATION.gate]: "job" };
/** With OnFailure, the Job controller counts a fence like a restart. */
const COUNTS_FENCES = { parallelism: 2, completions: 2, backoffLimit: 6 };
/** konductor has to see that a Job is over, then the next Job is resumed, and its pod is created and scheduled. */
const NEXT_JOB_WITHIN_MS = HANDED_ON_WITHIN_MS + 10_000;
const TTL_MS = 15_000;
/** The time to stop a pod with one container and no probes. */
const STOP_MS = 5_000;

interface JobStage extends Stage {
  create(name: string, details?: Partial<Workload>, spec?: Readonly<Record<string, unknown>>): Promise<void>;
  job(name: string): Promise<JobView>;
  suspend(name: string, value: boolean): Promise<unknown>;
  /** Resolves with the Job's hold once it lists `pods` of the Job's pods. */
  heldBy(name: string, pods: number): Promise<Hold>;
  /** Resolves with the runs of the Job's pods once there are `count`. */
  runsOf(name: string, count: number): Promise<Run[]>;
}

async function setJobStage(environment: Environment, name: string, ttl = "1m"): Promise<JobStage> {
  const { client, kubectl } = environment;
  const stage = await setStage(environment, name, { ttl });
  const { namespace, journal } = stage;
  const runsOf = async (job: string) =>
    (await journal.runs()).filter(({ by }) => by.replace(/-[^-]*$/, "") === job);
  return {
    ...stage,
    async create(jobName, details = {}, spec = {}) {
      const workload = { namespace, name: jobName, lease: name, annotations: WHOLE, journal, ...details };
      await kubectl.withObject(job(workload, spec), "create");
    },
    job: (jobName) => client.get(JOBS, { namespace, name: jobName }, parseJob),
    suspend: (jobName, value) =>
      kubectl(
        "-n",
        namespace,
        "patch",
        "job",
        jobName,
        "--type=merge",
        "-p",
        JSON.stringify({ spec: { suspend: value } }),
      ),
    async heldBy(jobName, pods) {
      const { status } = await stage.lease(
        `Job ${jobName} to hold with ${pods} pods`,
        ({ status: { hold } }) => hold?.holder === jobName && hold.pods?.length === pods,
      );
      if (!status.hold) throw new Error("the klease was read as held, and is not");
      return status.hold;
    },
    async runsOf(jobName, count) {
      await waitFor({
        what: `run ${count} of Job ${jobName}`,
        withinMs: 90_000,
        holds: async () => (await runsOf(jobName)).length >= count,
      });
      return runsOf(jobName);
    },
  };
}

/** Checks that no pod of one Job ran at the same time as a pod of the other. */
function expectApart(first: readonly Run[], second: readonly Run[]): void {
  const spans = [first, second].map((runs) => ({
    by: "job",
    fromMs: Math.min(...runs.map(({ fromMs }) => fromMs)),
    toMs: Math.max(...runs.map(({ toMs }) => toMs)),
    ended: true,
  }));
  expect(overlaps(spans)).toEqual([]);
}

/** The Job's pods, except those that are being deleted: their kubelet may take its time. */
const podsOfJob = async (environment: Environment, { namespace }: Stage, name: string) =>
  (await readPods(environment, namespace)).filter(
    ({ job: owner, deletionMs }) => owner?.name === name && deletionMs === undefined,
  );

export const wholeJobs: readonly Scenario[] = [
  {
    name: "gate: job: all pods of a Job run side by side under one hold, and the next Job has no pod before the hold is over",
    isSmoke: true,
    row: "a Job holds as a whole",
    async run(environment) {
      const stage = await setJobStage(environment, "batch");
      const queued = `${stage.journal.path}.queued`;
      await stage.create("old", { runsUntil: queued }, { parallelism: 3, completions: 3 });
      const { ref, token } = await stage.heldBy("old", 3);
      expect(ref.kind).toBe("Job");
      await stage.create("next", { runsForSeconds: 1 });
      await stage.waits("next");
      expect(await stage.job("next")).toMatchObject({ suspended: true, lease: "batch" });
      await stage.runsOf("old", 3);
      await writeFile(queued, "");
      const next = await stage.runsOf("next", 1);
      const old = await stage.runsOf("old", 3);
      expect(await waitForJobs(environment, stage.namespace)).toEqual({ failed: [] });
      expectApart(old, next);
      expect(overlaps(old)).not.toEqual([]);
      expectWithin(environment, {
        what: "from the last end of a Job's mains to the first main of the next Job",
        measuredMs: (next[0]?.fromMs ?? Number.NaN) - Math.max(...old.map(({ toMs }) => toMs)),
        boundMs: NEXT_JOB_WITHIN_MS,
      });
      const { status } = await stage.atRest();
      expect(status.history.map((past) => [past.holder, past.reason, past.token])).toEqual([
        ["next", "Terminated", token + 1],
        ["old", "Terminated", token],
      ]);
    },
  },
  {
    name: "gate: job: a Job that fails once goes on under its hold, and a Job that fails for good frees the klease",
    async run(environment) {
      const stage = await setJobStage(environment, "flaky");
      await stage.create("old", { runsForSeconds: 1, exitCode: 1 }, { backoffLimit: 1 });
      const { token } = await stage.heldBy("old", 1);
      await stage.apply("next", { runsForSeconds: 1 });
      const [next] = await stage.runs("next", 1);
      if (!next) throw new Error("next has not run");
      const old = await stage.runsOf("old", 2);
      expectApart(old, [next]);
      expect((await waitForJobs(environment, stage.namespace)).failed).toEqual(["old"]);
      const { status } = await stage.atRest();
      expect(status.history.map((past) => [past.holder, past.token])).toEqual([
        ["next", token + 1],
        ["old", token],
      ]);
    },
  },
  {
    name: "gate: job: a Job that is suspended while it holds hands over when its pods have ended, and suspend: false starts no Job out of turn",
    row: "a Job holds as a whole",
    async run(environment) {
      const stage = await setJobStage(environment, "paused");
      const slow = { onTerm: { afterSeconds: 2 } } as const;
      await stage.create("old", slow, { parallelism: 2, completions: 2 });
      await stage.heldBy("old", 2);
      await stage.runsOf("old", 2);
      await stage.create("next", { ...slow });
      await stage.waits("next");
      await stage.suspend("next", false);
      expect(await stage.job("next")).toMatchObject({ suspended: true });
      await stage.suspend("old", true);
      await stage.heldBy("next", 1);
      const next = await stage.runsOf("next", 1);
      expectApart(await stage.runsOf("old", 2), next);
      // `next` does not wait, because its user has suspended it.
      const { status } = await stage.lease("nobody to wait", ({ status: { waiters } }) => waiters === 0);
      expect(status.history[0]).toMatchObject({ holder: "old", reason: "Suspended" });
      await stage.suspend("old", false);
      await stage.waits("old");
      expect(await podsOfJob(environment, stage, "old")).toEqual([]);
      await stage.suspend("next", true);
      await stage.heldBy("old", 2);
      const again = (await stage.runsOf("old", 4)).slice(2);
      expectApart(await stage.runsOf("next", 1), again);
      await environment.kubectl("-n", stage.namespace, "delete", "jobs", "--all");
      await stage.atRest();
    },
  },
  ...(["background", "foreground"] as const).map(
    (cascade): Scenario => ({
      name: `gate: job: a Job that is deleted in the ${cascade} holds until its last pod has ended`,
      row: "a Job holds as a whole",
      async run(environment) {
        const stage = await setJobStage(environment, "deleted");
        await stage.create("old", { onTerm: { afterSeconds: 2 } }, { parallelism: 2, completions: 2 });
        await stage.heldBy("old", 2);
        await stage.runsOf("old", 2);
        await stage.create("next", { runsForSeconds: 1 });
        await stage.waits("next");
        await environment.kubectl(
          "-n",
          stage.namespace,
          "delete",
          "job",
          "old",
          `--cascade=${cascade}`,
          "--wait=false",
        );
        const next = await stage.runsOf("next", 1);
        expectApart(await stage.runsOf("old", 2), next);
        await stage.atRest();
      },
    }),
  ),
  {
    name: "gate: job: pods that outlive their Job keep its hold until they have ended",
    async run(environment) {
      const stage = await setJobStage(environment, "orphans");
      const orphaned = `${stage.journal.path}.orphaned`;
      await stage.create("old", { runsUntil: orphaned });
      const { pods: [orphan] = [] } = await stage.heldBy("old", 1);
      await stage.create("next", { runsForSeconds: 1 });
      await stage.waits("next");
      await environment.kubectl("-n", stage.namespace, "delete", "job", "old", "--cascade=orphan");
      await writeFile(orphaned, "");
      const next = await stage.runsOf("next", 1);
      const [old] = await stage.runsOf("old", 1);
      expect(old).toMatchObject({ by: orphan?.name, ended: true });
      expectApart(await stage.runsOf("old", 1), next);
      await stage.atRest();
    },
  },
  {
    name: "gate: job: with if-held: skip a Job is Complete at once if the klease is held, and runs if it is free",
    async run(environment) {
      const { client } = environment;
      const stage = await setJobStage(environment, "skipped");
      await stage.apply("holder");
      await stage.holds("holder");
      const annotations = { ...WHOLE, [ANNOTATION.ifHeld]: "skip" };
      await stage.create("late", { annotations });
      expect(await waitForJobs(environment, stage.namespace)).toEqual({ failed: [] });
      const { status } = record(await client.get(JOBS, { namespace: stage.namespace, name: "late" }));
      const complete = list(record(status)["conditions"])
        .map(record)
        .find(({ type }) => type === "Complete");
      expect(text(complete?.["reason"])).toBe("LeaseHeld");
      await stage.endMain("holder");
      const rest = await stage.atRest();
      expect(rest.status.skipped).toBe(1);
      expect((await stage.journal.runs()).map(({ by }) => by)).toEqual(["holder"]);
      await stage.create("early", { annotations, runsForSeconds: 1 });
      await stage.runsOf("early", 1);
      await stage.atRest();
    },
  },
  {
    name: "gate: job: while a run of a CronJob hangs, one run waits suspended, and further runs are skipped",
    async run(environment) {
      const { client, kubectl } = environment;
      const stage = await setJobStage(environment, "piled");
      const { namespace, journal } = stage;
      const { spec } = job({ namespace, name: "any", lease: "piled", annotations: WHOLE, journal });
      const metadata = { namespace, name: "report" };
      const schedule = { schedule: "0 0 1 1 *", suspend: true, jobTemplate: { spec } };
      await kubectl.withObject(
        { apiVersion: "batch/v1", kind: "CronJob", metadata, spec: schedule },
        "apply",
      );
      const start = (name: string) =>
        kubectl("-n", namespace, "create", "job", name, "--from=cronjob/report");
      await start("hung");
      await stage.runsOf("hung", 1);
      await start("first");
      await stage.waits("first");
      await start("second");
      await waitFor({
        what: "the second run to be skipped",
        withinMs: 60_000,
        async holds() {
          const { status } = record(await client.get(JOBS, { namespace, name: "second" }));
          const conditions = list(record(status)["conditions"]).map(record);
          return conditions.some(({ type, reason }) => type === "Complete" && reason === "LeaseHeld");
        },
      });
      await kubectl("-n", namespace, "delete", "job", "hung", "--wait=false");
      await stage.runsOf("first", 1);
      await kubectl("-n", namespace, "delete", "job", "first", "--wait=false");
      const { status } = await stage.atRest();
      expect(status).toMatchObject({ skipped: 1, history: [{ holder: "first" }, { holder: "hung" }] });
    },
  },
  {
    name: "gate: job: a Job whose keepers are all silent loses its hold: it is suspended, its pods end, and it queues again behind the next Job",
    row: "a Job holds as a whole",
    timeoutMs: 180_000,
    async run(environment) {
      const stage = await setJobStage(environment, "silent", "15s");
      const graceSeconds = 3;
      await stage.create("old", { graceSeconds }, { parallelism: 2, completions: 2 });
      const { pods = [] } = await stage.heldBy("old", 2);
      await stage.runsOf("old", 2);
      await stage.create("next", { runsForSeconds: 1 });
      await stage.waits("next");
      for (const { name } of pods)
        await environment.killContainer({ namespace: stage.namespace, name }, "konductor-keeper", "SIGSTOP");
      const next = await stage.runsOf("next", 1);
      expectApart((await stage.runsOf("old", 2)).slice(0, 2), next);
      await stage.runsOf("old", 4);
      const { status } = await stage.lease(
        "old to hold again",
        ({ status: { hold } }) => hold?.holder === "old",
      );
      expect(status.history.map(({ holder, reason }) => [holder, reason])).toEqual([
        ["next", "Terminated"],
        ["old", "Expired"],
      ]);
      await environment.kubectl("-n", stage.namespace, "delete", "job", "old", "--wait=false");
      await stage.atRest();
    },
  },
  {
    name: "gate: job: one pod that is cut off stops in time and rejoins the hold, while its siblings go on",
    row: "a Job holds as a whole",
    needsKubelet: "the process node has no partitions, and no RestartAllContainers",
    timeoutMs: 180_000,
    async run(environment) {
      const stage = await setJobStage(environment, "rejoined", "15s");
      await stage.create("old", { restartPolicy: "OnFailure" }, COUNTS_FENCES);
      const hold = await stage.heldBy("old", 2);
      await stage.runsOf("old", 2);
      const [lost, kept] = hold.pods ?? [];
      if (!lost || !kept) throw new Error("two pods were on the list");
      const isOf = ({ by }: Run, name: string) => by === name;
      const heal = await cutOff(environment, [{ namespace: stage.namespace, name: lost.name }]);
      try {
        await waitFor({
          what: "the pod that is cut off to be stopped",
          withinMs: TTL_MS + EXPIRY_ALLOWANCE_MS + STOP_MS,
          holds: async () => (await stage.journal.runs()).some((run) => isOf(run, lost.name) && run.ended),
        });
      } finally {
        await heal();
      }
      await stage.runs(lost.name, 2);
      expect(await stage.heldBy("old", 2)).toMatchObject({ token: hold.token });
      expect(await stage.runs(kept.name, 1)).toHaveLength(1);
      await environment.kubectl("-n", stage.namespace, "delete", "job", "old", "--wait=false");
      await stage.atRest();
    },
  },
  {
    name: "gate: job: a Job that never gets to work loses its hold after start-timeout, and queues again behind the next Job",
    row: "a Job holds as a whole",
    needsKubelet: "the process node has no images",
    timeoutMs: 180_000,
    async run(environment) {
      const stage = await setJobStage(environment, "idle", "15s");
      const missing = { image: "konductor.test/missing:1", imagePullPolicy: "Never" };
      await stage.create("old", {
        annotations: { ...WHOLE, [ANNOTATION.startTimeout]: "5s" },
        container: missing,
      });
      await stage.heldBy("old", 1);
      await stage.create("next", { runsForSeconds: 1 });
      await stage.runsOf("next", 1);
      const { status } = await stage.lease(
        "old to hold again",
        ({ status: { hold } }) => hold?.holder === "old",
      );
      // The hold of old may have ended in this way before there was another waiter.
      expect(status.history.slice(0, 2).map(({ holder, reason }) => [holder, reason])).toEqual([
        ["next", "Terminated"],
        ["old", "NotStarted"],
      ]);
      await environment.kubectl("-n", stage.namespace, "delete", "job", "old", "--wait=false");
      await stage.atRest();
      expect(await stage.journal.runs()).toHaveLength(1);
    },
  },
  {
    name: "gate: job: a klease that is deleted while a Job holds it is granted again only when the Job's pods have ended",
    timeoutMs: 180_000,
    async run(environment) {
      const stage = await setJobStage(environment, "gone", "15s");
      // The klease is recreated with the ttl of a request.
      const annotations = { ...WHOLE, [ANNOTATION.ttl]: "15s" };
      const old = { annotations, onTerm: { afterSeconds: 2 } };
      await stage.create("old", old, { parallelism: 2, completions: 2 });
      const { token } = await stage.heldBy("old", 2);
      await stage.runsOf("old", 2);
      await stage.create("next", { annotations, runsForSeconds: 1 });
      await stage.waits("next");
      await environment.kubectl("-n", stage.namespace, "delete", "klease", "gone");
      const next = await stage.runsOf("next", 1);
      expectApart((await stage.runsOf("old", 2)).slice(0, 2), next);
      const { status } = await stage.lease(
        "a later token",
        ({ status: { lastToken = 0 } }) => lastToken > token,
      );
      expect(status.lastToken).toBeGreaterThan(token);
      await environment.kubectl("-n", stage.namespace, "delete", "job", "old", "--wait=false");
      await stage.atRest();
    },
  },
  {
    name: "gate: job: a Job whose klease is deleted while nobody else waits gets a new klease and runs again",
    row: "a Job holds as a whole",
    timeoutMs: 180_000,
    async run(environment) {
      const stage = await setJobStage(environment, "again", "15s");
      await stage.create("old", { annotations: { ...WHOLE, [ANNOTATION.ttl]: "15s" } });
      const { token } = await stage.heldBy("old", 1);
      await stage.runsOf("old", 1);
      await environment.kubectl("-n", stage.namespace, "delete", "klease", "again");
      const [first, second] = await stage.runsOf("old", 2);
      expect(first && second && overlaps([first, second])).toEqual([]);
      expect((await stage.heldBy("old", 1)).token).toBeGreaterThan(token);
      await environment.kubectl("-n", stage.namespace, "delete", "job", "old", "--wait=false");
      await stage.atRest();
    },
  },
  {
    name: "gate: job: neither a pod that names a Job as its owner nor an annotation on a running Job makes konductor suspend that Job",
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setJobStage(environment, "forged");
      const { namespace, journal } = stage;
      await kubectl.withObject(job({ namespace, name: "bystander", journal }), "create");
      await stage.runsOf("bystander", 1);
      await stage.create("single", { annotations: {} });
      await stage.runsOf("single", 1);
      await kubectl("-n", namespace, "annotate", "job", "single", "konductor.io/gate=job");
      const { uid } = await stage.job("bystander");
      const owner = { apiVersion: "batch/v1", kind: "Job", name: "bystander", uid, controller: true };
      const forged = pod({ namespace, name: "forged", lease: "forged", annotations: WHOLE, journal });
      const metadata = { ...forged.metadata, ownerReferences: [owner] };
      await kubectl.withObject({ ...forged, metadata }, "create");
      // The Job controller disowns a pod that its selector does not match. A gate that asks after that is told that it has no Job.
      const { gate } = await stage.pod(
        "forged",
        "to have asked by its gate",
        (seen) => seen.gate?.state === "running" || seen.gate?.exitCode === EXIT.refused,
      );
      if (gate?.state === "terminated") expect(gate.message).toContain("has no Job any more");
      // Now the arbiter has looked at the klease and at all of its requests.
      await stage.apply("next", { runsForSeconds: 1 });
      await stage.waits("next");
      await kubectl("-n", namespace, "delete", "job", "single", "--wait=false");
      await stage.runs("next", 1);
      expect(await stage.job("bystander")).toMatchObject({ suspended: false, labelled: false });
      const runs = (await journal.runs()).map(({ by }) => by.replace(/-.*/, ""));
      expect(runs).toEqual(["bystander", "single", "next"]);
      await kubectl("-n", namespace, "delete", "pod", "forged", "--wait=false");
      await stage.atRest();
    },
  },
  {
    name: "gate: job is refused for everything but a Job, and a Job with it cannot change its label konductor.io/lease",
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setJobStage(environment, "none");
      await expect(stage.apply("bare", { annotations: WHOLE })).rejects.toThrow(
        'metadata.annotations[konductor.io/gate]: Invalid value: "job": only a Job can wait as a whole',
      );
      await stage.create("old", {}, { suspend: true });
      expect(await stage.job("old")).toMatchObject({ suspended: true, mode: { gate: "job" } });
      await expect(
        kubectl("-n", stage.namespace, "label", "job", "old", "konductor.io/lease=other", "--overwrite"),
      ).rejects.toThrow('with konductor.io/gate "job" it has to stay "none"');
      expect(await stage.lease("nobody to wait", () => true)).toMatchObject({ status: { waiters: 0 } });
    },
  },
];
