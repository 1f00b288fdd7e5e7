/** Controllers that replace a pod with a new one, and pods that stand by. */
import { expect } from "vitest";
import { waitFor } from "../../cluster/wait.ts";
import type { Environment, Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { activeHold, HANDED_ON_WITHIN_MS } from "../handover.ts";
import { overlaps } from "../journal.ts";
import { readPods } from "../observe.ts";
import { type Stage, setStage } from "../stage.ts";
import { waitForQueue } from "../turns.ts";
import { podTemplate } from "../workload.ts";

const row = "successors: StatefulSet, DaemonSet, active/passive pair";
/** A new pod must first be created, scheduled and set up. */
const REPLACED_WITHIN_MS = 20_000;
const RESTARTED_WITHIN_MS = 5_000;

export const successors: readonly Scenario[] = [
  ...(
    [
      { kind: "StatefulSet", spec: { serviceName: "web" } },
      { kind: "DaemonSet", spec: {} },
    ] as const
  ).map(
    ({ kind, spec }): Scenario => ({
      name: `the deleted pod of a ${kind} is replaced, and the new pod gets a hold of its own with a higher token`,
      row,
      async run(environment) {
        const stage = await setStage(environment, "web", { ttl: "1m" });
        await deploy(environment, stage, kind, spec);
        const first = await activeHold(stage);
        await deletePod(environment, stage, first.holder);
        const second = await activeHold(stage, first);
        expect(second.token).toBeGreaterThan(first.token);
        if (kind === "StatefulSet") expect([first.holder, second.holder]).toEqual(["web-0", "web-0"]);
        const after = (await stage.runs(second.holder, kind === "StatefulSet" ? 2 : 1)).at(-1);
        const [before] = await stage.runs(first.holder, 1);
        expectWithin(environment, {
          what: `from the end of the main of a ${kind}'s deleted pod to its successor's`,
          measuredMs: (after?.fromMs ?? Number.NaN) - (before?.toMs ?? Number.NaN),
          boundMs: REPLACED_WITHIN_MS,
        });
        await clearAway(environment, stage, kind);
      },
    }),
  ),
  {
    name: "one of a Deployment's two pods is active and the other stands by: the standby takes over when the active pod is deleted",
    row,
    async run(environment) {
      const stage = await setStage(environment, "web", { ttl: "1m" });
      await deploy(environment, stage, "Deployment", { replicas: 2 });
      const first = await activeHold(stage);
      await waitForQueue(environment, stage, 1);
      await deletePod(environment, stage, first.holder);
      const second = await activeHold(stage, first);
      expect(second.token).toBe(first.token + 1);
      const [after] = await stage.runs(second.holder, 1);
      const [ended] = await stage.runs(first.holder, 1);
      expectWithin(environment, {
        what: "failover: from the end of a deleted active pod's main to the standby's",
        measuredMs: (after?.fromMs ?? Number.NaN) - (ended?.toMs ?? Number.NaN),
        boundMs: HANDED_ON_WITHIN_MS,
      });

      await waitForQueue(environment, stage, 1);
      await environment.killContainer({ namespace: stage.namespace, name: second.holder }, "main", "SIGKILL");
      const [killed, again] = await stage.runs(second.holder, 2);
      if (!killed || !again) throw new Error("main has not run twice");
      expectWithin(environment, {
        what: "failover: from the kill -9 of an active main to its restart in place",
        measuredMs: again.fromMs - killed.toMs,
        boundMs: RESTARTED_WITHIN_MS,
      });
      expect(await stage.holds(second.holder)).toMatchObject({ token: second.token });
      await clearAway(environment, stage, "Deployment");
    },
  },
  ...[{ type: "Recreate" }, { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "100%" } }].map(
    (strategy): Scenario => ({
      name: `a new version of an active/passive pair is rolled out with strategy ${strategy.type}`,
      row,
      async run(environment) {
        const stage = await setStage(environment, "web", { ttl: "1m" });
        await deploy(environment, stage, "Deployment", { replicas: 2, strategy });
        const first = await activeHold(stage);
        await waitForQueue(environment, stage, 1);
        const patch = { spec: { template: { metadata: { annotations: { version: "2" } } } } };
        const target = ["-n", stage.namespace, "deployment/web"];
        await environment.kubectl("patch", ...target, "-p", JSON.stringify(patch));
        const second = await activeHold(stage, first);
        await waitForQueue(environment, stage, 1);
        expect(versionOf(second.holder)).not.toBe(versionOf(first.holder));
        await waitFor({
          what: "the pods of the old version to be gone",
          withinMs: 30_000,
          async holds() {
            const pods = await readPods(environment, stage.namespace);
            return (
              pods.length === 2 && pods.every(({ name }) => versionOf(name) === versionOf(second.holder))
            );
          },
        });
        await clearAway(environment, stage, "Deployment");
      },
    }),
  ),
];

/** The name of the ReplicaSet, without the five characters that a pod's name adds. */
const versionOf = (podName: string) => podName.slice(0, podName.lastIndexOf("-"));

async function deploy(
  { kubectl }: Environment,
  { namespace, journal }: Stage,
  kind: string,
  spec: object,
): Promise<void> {
  const labels = { app: "web" };
  const { metadata, spec: podSpec } = podTemplate({
    namespace,
    name: "web",
    lease: "web",
    journal,
    restartPolicy: "Always",
  });
  const template = { metadata: { ...metadata, labels: { ...metadata.labels, ...labels } }, spec: podSpec };
  await kubectl.withObject(
    {
      apiVersion: "apps/v1",
      kind,
      metadata: { namespace, name: "web" },
      spec: { ...spec, selector: { matchLabels: labels }, template },
    },
    "create",
  );
}

async function deletePod({ kubectl }: Environment, { namespace }: Stage, name: string): Promise<void> {
  await kubectl("-n", namespace, "delete", "pod", name, "--wait=false");
}

async function clearAway({ kubectl }: Environment, stage: Stage, kind: string): Promise<void> {
  await kubectl("-n", stage.namespace, "delete", kind, "web", "--cascade=foreground", "--timeout=60s");
  await stage.atRest();
  expect(overlaps(await stage.journal.runs())).toEqual([]);
}
