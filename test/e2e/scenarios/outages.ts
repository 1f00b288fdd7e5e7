import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { EVENTS, PODS } from "../../../src/kube/resources.ts";
import { list, record } from "../../../src/shared/json.ts";
import { GATE_CONTAINER, KEEPER_CONTAINER } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Environment, Scenario } from "../environment.ts";
import { waitForJobs } from "../observe.ts";
import { type Stage, setStage } from "../stage.ts";
import { expectTurns } from "../turns.ts";
import { job, pod } from "../workload.ts";

/** A holder renews every 30 s, and can wait for an answer for 53 s. */
const TTL = "90s";
const API_SERVER_OUTAGE_MS = 35_000;
const ETCD_PAUSE_MS = 35_000;
const SUCCEEDS_WITHIN_MS = 120_000;

export const outages: readonly Scenario[] = [
  {
    name: `an API server that is gone for ${API_SERVER_OUTAGE_MS / 1_000} s ends no hold of ${TTL}, and every pod gets a turn`,
    row: "konductor, API server or etcd away",
    home: "process",
    locks: ["control plane"],
    timeoutMs: 240_000,
    async run(environment) {
      const { controlPlane } = environment.cluster;
      await expectSurvival(environment, API_SERVER_OUTAGE_MS, async () => {
        await controlPlane.kill("kube-apiserver");
        await sleep(API_SERVER_OUTAGE_MS);
        await controlPlane.start("kube-apiserver");
      });
    },
  },
  {
    name: `an etcd that is paused for ${ETCD_PAUSE_MS / 1_000} s ends no hold of ${TTL}, and every pod gets a turn`,
    row: "konductor, API server or etcd away",
    home: "process",
    locks: ["control plane"],
    timeoutMs: 240_000,
    async run(environment) {
      const { controlPlane } = environment.cluster;
      await expectSurvival(environment, ETCD_PAUSE_MS, async () => {
        controlPlane.pause("etcd");
        await sleep(ETCD_PAUSE_MS).finally(() => controlPlane.resume("etcd"));
      });
    },
  },
  {
    name: "while konductor is down a labelled pod is refused and created later, and an unlabelled one runs",
    locks: ["konductor"],
    timeoutMs: 240_000,
    async run(environment) {
      const { client, kubectl, konductor } = environment;
      const namespace = await environment.createNamespace();
      const free = environment.journal(`${namespace}-free`);
      const journal = environment.journal(`${namespace}-later`);
      await konductor.stop();
      try {
        await kubectl.withObject(job({ namespace, name: "free", journal: free, runsForSeconds: 1 }), "apply");
        expect(await waitForJobs(environment, namespace)).toEqual({ failed: [] });
        expect(await free.runs()).toMatchObject([{ ended: true }]);

        const refused = kubectl.withObject(
          pod({ namespace, name: "refused", lease: "later", journal, runsForSeconds: 1 }),
          "create",
        );
        await expect(refused).rejects.toThrow(/: failed calling webhook "pods\.konductor\.io": [^\n]+$/);
        const later = job({ namespace, name: "later", lease: "later", journal, runsForSeconds: 1 });
        // A Job without labels of its own gets its template's, and would be refused at once.
        const labelled = { ...later, metadata: { ...later.metadata, labels: { app: "later" } } };
        await kubectl.withObject(labelled, "create");
        await waitFor({
          what: "the Job controller to be refused its pod",
          withinMs: 60_000,
          holds: async () =>
            (await client.list(EVENTS, { namespace })).items.some(
              (event) => record(event)["reason"] === "FailedCreate",
            ),
        });
        expect(await journal.runs()).toEqual([]);
      } finally {
        await konductor.start();
      }
      expect(await waitForJobs(environment, namespace)).toEqual({ failed: [] });
      await expectTurns(environment, { namespace, journal }, 1);
    },
  },
];

/**
 * Runs two holders while `disturb` takes something away: the main of one ends during the disturbance, the other's main outlives it. Checks that both
 * keep their holds to the end, that the waiters come next, that no gate or keeper has crashed, and that konductor works afterwards. The pods have no
 * Job, because the Job controller may wait for minutes before it asks the API server again.
 */
async function expectSurvival(
  environment: Environment,
  outageMs: number,
  disturb: () => Promise<void>,
): Promise<void> {
  const stages = await Promise.all([
    queueBehind(environment, "within", outageMs / 3_000),
    queueBehind(environment, "across", outageMs / 1_000 + 15),
  ]);
  await disturb();
  for (const stage of stages) {
    for (const name of ["holder", "waiter"]) await succeeds(stage, name);
    await expectTurns(environment, stage, 2);
    const { status } = await stage.atRest();
    expect(status.history.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^(Released|Terminated)$/),
      expect.stringMatching(/^(Released|Terminated)$/),
    ]);
    expect(await restarts(environment, stage)).toEqual([]);
  }
  const [stage] = stages;
  await stage.apply("afterwards", { runsForSeconds: 1 });
  await succeeds(stage, "afterwards");
}

const succeeds = (stage: Stage, name: string) =>
  stage.pod(name, "to have succeeded", ({ phase }) => phase === "Succeeded", SUCCEEDS_WITHIN_MS);

/** Creates a pod that holds, and one that waits behind it. */
async function queueBehind(environment: Environment, name: string, holderSeconds: number): Promise<Stage> {
  const stage = await setStage(environment, name, { ttl: TTL });
  await stage.apply("holder", { runsForSeconds: holderSeconds });
  await stage.runs("holder", 1);
  await stage.apply("waiter", { runsForSeconds: 1 });
  await stage.waits("waiter");
  return stage;
}

/** Restarted gates and keepers, as `POD/CONTAINER`. */
async function restarts({ client }: Environment, { namespace }: Stage): Promise<string[]> {
  return (await client.list(PODS, { namespace })).items.map(record).flatMap(({ metadata, status }) =>
    list(record(status)["initContainerStatuses"])
      .map(record)
      .filter(
        ({ name, restartCount }) =>
          (name === GATE_CONTAINER || name === KEEPER_CONTAINER) && restartCount !== 0,
      )
      .map(({ name }) => `${record(metadata)["name"]}/${name}`),
  );
}
