/** Pods that do not wait, or only for a limited time: `if-held: fail` and `wait-timeout`, and how kubectl shows why they failed. */
import { expect } from "vitest";
import { isTerminal, type PodView } from "../../../src/lease/pod.ts";
import type { LeaseRequest } from "../../../src/lease/types.ts";
import { ANNOTATION, EXIT, GATE_CONTAINER, LEASE_LABEL } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Environment, Scenario } from "../environment.ts";
import { overlaps } from "../journal.ts";
import { readPods, readRequests, waitForJobs } from "../observe.ts";
import { type Stage, setStage } from "../stage.ts";
import { job } from "../workload.ts";

const WITHOUT_WAITING = { [ANNOTATION.ifHeld]: "fail" };
const ISO = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/.source;

/** Why the gates of the pods of `stage` failed, as kubectl prints it in a column of its own. */
async function reasons({ kubectl }: Environment, { namespace }: Stage, state = "state"): Promise<string[]> {
  const gate = `.status.initContainerStatuses[?(@.name=="${GATE_CONTAINER}")]`;
  const column = `custom-columns=WHY:${gate}.${state}.terminated.message`;
  const printed = await kubectl("-n", namespace, "get", "pods", "--no-headers", "-o", column);
  return printed.split("\n").filter((line) => line.startsWith("klease "));
}

/** Resolves when kubectl has printed a matching status for the pod. */
async function statusShows({ kubectl }: Environment, { namespace }: Stage, name: string, status: RegExp) {
  await waitFor({
    what: `kubectl to print ${status} for pod ${name}`,
    withinMs: 60_000,
    everyMs: 100,
    holds: async () => status.test(await kubectl("-n", namespace, "get", "pod", name, "--no-headers")),
  });
}

async function podsOf(environment: Environment, { namespace }: Stage, jobName: string): Promise<PodView[]> {
  const pods = await readPods(environment, namespace);
  return pods.filter(({ name }) => name.startsWith(`${jobName}-`));
}

/** A klease that `first` holds. */
async function held(environment: Environment, name: string): Promise<Stage> {
  const stage = await setStage(environment, name, { ttl: "1m" });
  await stage.apply("first");
  await stage.holds("first");
  await stage.runs("first", 1);
  return stage;
}

export const limitedWaiting: readonly Scenario[] = [
  {
    name: "if-held: fail: a Job fails after its backoffLimit, with the reason, if its klease is held, and runs if it is free",
    timeoutMs: 240_000,
    async run(environment) {
      const { kubectl } = environment;
      const stage = await held(environment, "once");
      const { namespace, journal } = stage;
      const workload = {
        namespace,
        lease: "once",
        annotations: WITHOUT_WAITING,
        journal,
        runsForSeconds: 0.5,
      };
      await kubectl.withObject(job({ ...workload, name: "late" }, { backoffLimit: 1 }), "create");
      expect(await waitForJobs(environment, namespace)).toEqual({ failed: ["late"] });
      const pods = await podsOf(environment, stage, "late");
      expect(pods.map(({ phase, gate }) => [phase, gate?.exitCode])).toEqual([
        ["Failed", EXIT.refused],
        ["Failed", EXIT.refused],
      ]);
      const why =
        `klease once was not granted: it was not free, and ${ANNOTATION.ifHeld} "fail" does not wait; ` +
        `held by first since ${ISO} \\(Held\\)`;
      expect(await reasons(environment, stage)).toEqual([
        expect.stringMatching(`^${why}`),
        expect.stringMatching(`^${why}`),
      ]);
      const selector = `--selector=${LEASE_LABEL}=once,job-name=late`;
      expect(await kubectl("-n", namespace, "get", "pods", "--no-headers", selector)).toMatch(/ Init:Error /);
      expect(await kubectl("-n", namespace, "describe", "pods", selector)).toMatch(new RegExp(why));

      await stage.endMain("first");
      await stage.lease("the klease to be free", ({ status }) => !status.hold);
      await kubectl.withObject(job({ ...workload, name: "next" }), "create");
      expect(await waitForJobs(environment, namespace)).toEqual({ failed: ["late"] });
      expect((await journal.runs()).map(({ by }) => by.replace(/-.*/, ""))).toEqual(["first", "next"]);
      await stage.atRest();
    },
  },
  {
    name: "if-held: fail: of 10 Jobs created at once one runs, and the others have failed before it ends",
    timeoutMs: 240_000,
    async run(environment) {
      const stage = await setStage(environment, "crowd", { ttl: "1m" });
      const { namespace, journal } = stage;
      const items = Array.from({ length: 10 }, (_, index) =>
        job({ namespace, name: `run-${index}`, lease: "crowd", annotations: WITHOUT_WAITING, journal }),
      );
      await environment.kubectl.withObject({ apiVersion: "v1", kind: "List", items }, "create");
      await waitFor({
        what: "all but one to fail",
        withinMs: 180_000,
        async holds() {
          const pods = await readPods(environment, namespace);
          return pods.filter(({ gate }) => gate?.exitCode === EXIT.refused).length === 9;
        },
      });
      const { status } = await stage.lease("one to run", ({ status }) => status.hold?.confirmed === true);
      expect(await stage.runs(status.hold?.holder ?? "", 1)).toMatchObject([{ ended: false }]);
      expect(await journal.runs()).toHaveLength(1);
    },
  },
  {
    name: "wait-timeout: a Job that has waited long enough fails with the reason; a Job that is granted before runs",
    timeoutMs: 240_000,
    async run(environment) {
      const stage = await held(environment, "patient");
      const { namespace, journal } = stage;
      const create = (name: string, timeout: string) =>
        environment.kubectl.withObject(
          job({
            ...{ namespace, name, lease: "patient", annotations: { [ANNOTATION.waitTimeout]: timeout } },
            ...{ journal, runsForSeconds: 0.5 },
          }),
          "create",
        );
      await create("short", "4s");
      await create("long", "5m");
      await waitFor({
        what: "the short one to fail",
        withinMs: 60_000,
        holds: async () => (await podsOf(environment, stage, "short")).some(isTerminal),
      });
      const [short] = await podsOf(environment, stage, "short");
      expect([short?.phase, short?.gate?.exitCode]).toEqual(["Failed", EXIT.refused]);
      const { startedMs = Number.NaN, finishedMs = Number.NaN } = short?.gate ?? {};
      // Times in a status are whole seconds.
      expect(finishedMs - startedMs).toBeGreaterThanOrEqual(3_000);
      expect(finishedMs - startedMs).toBeLessThan(20_000);
      const why =
        `^klease patient was not granted: the pod has waited for 4s, its ${ANNOTATION.waitTimeout}; ` +
        `held by first since ${ISO} \\(TimedOut\\)`;
      expect(await reasons(environment, stage)).toEqual([expect.stringMatching(why)]);

      await stage.endMain("first");
      expect(await waitForJobs(environment, namespace)).toEqual({ failed: ["short"] });
      expect((await journal.runs()).map(({ by }) => by.replace(/-.*/, ""))).toEqual(["first", "long"]);
      await stage.atRest();
    },
  },
  ...(["OnFailure", "Always"] as const).map(
    (restartPolicy): Scenario => ({
      name: `if-held: fail and wait-timeout: with restartPolicy ${restartPolicy} the gate asks again, with a new time, and the pod runs later`,
      timeoutMs: 300_000,
      async run(environment) {
        await Promise.all([
          asksAgain(environment, restartPolicy, "once", WITHOUT_WAITING),
          asksAgain(environment, restartPolicy, "limited", { [ANNOTATION.waitTimeout]: "2s" }),
        ]);
      },
    }),
  ),
];

/** A pod is refused while another holds, then asks again, and runs once the klease is free. */
async function asksAgain(
  environment: Environment,
  restartPolicy: "OnFailure" | "Always",
  name: string,
  annotations: Readonly<Record<string, string>>,
): Promise<void> {
  const stage = await held(environment, name);
  const { namespace } = stage;
  await stage.apply("again", { annotations, restartPolicy, runsForSeconds: 0.5 });
  const request = async () =>
    (await readRequests(environment, namespace)).find(({ spec }) => spec.holder === "again");
  let first: LeaseRequest | undefined;
  await waitFor({
    what: "the pod to ask",
    withinMs: 60_000,
    everyMs: 50,
    async holds() {
      first = await request();
      return first !== undefined;
    },
  });
  await statusShows(environment, stage, "again", / Init:(Error|CrashLoopBackOff) /);
  await waitFor({
    what: "the pod to ask again, later",
    withinMs: 90_000,
    everyMs: 50,
    async holds() {
      const later = await request();
      if (!first || !later || later.uid === first.uid) return false;
      expect(later.spec.requestedAtMs).toBeGreaterThan(first.spec.requestedAtMs);
      return true;
    },
  });
  await waitFor({
    what: "kubectl to print why the earlier run failed",
    withinMs: 30_000,
    async holds() {
      const [earlier = ""] = await reasons(environment, stage, "lastState");
      return (
        earlier.startsWith(`klease ${name} was not granted: `) && earlier.includes("held by first since")
      );
    },
  });
  await stage.endMain("first");
  await stage.runs("again", 1, 120_000);
  expect(overlaps(await stage.journal.runs())).toEqual([]);
  await environment.kubectl("-n", namespace, "delete", "pod", "again", "--wait=false", "--grace-period=1");
  await stage.atRest();
}
