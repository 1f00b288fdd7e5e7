import { expect } from "vitest";
import { EXIT } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import { bootMs } from "../boot-time.ts";
import { cutOff } from "../cut-off.ts";
import type { Environment, Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { overlaps } from "../journal.ts";
import { describedEvent } from "../observe.ts";
import { type Stage, setStage } from "../stage.ts";

const TTL_MS = 15_000;
/** Signs of life come every 100 ms. */
const SILENCE_MS = 1_000;
const needsKubelet = "the process node has no RestartAllContainers";
const POLICIES = ["Never", "OnFailure"] as const;

export const fencing: readonly Scenario[] = [
  {
    name: "a holder whose keeper is cut off from konductor is stopped by its kubelet before the next pod starts",
    isSmoke: true,
    row: "keeper cut off, and the pod can fence itself",
    needsKubelet,
    timeoutMs: 180_000,
    async run(environment) {
      const stages = await Promise.all(POLICIES.map((policy) => begin(environment, policy)));
      const atMs = bootMs();
      const heal = await cutOff(
        environment,
        stages.map(({ namespace }) => ({ namespace, name: "old" })),
      );
      try {
        await Promise.all(stages.map((stage) => stage.runs("next", 1)));
      } finally {
        await heal();
      }
      await Promise.all(stages.map((stage, index) => wasFenced(environment, stage, atMs, POLICIES[index])));
      const [never, onFailure] = stages;
      if (never) await hasFailed(never);
      for (const { namespace } of stages) {
        const told = await describedEvent(environment, { namespace, what: "pod/old", reason: "Fenced" });
        expect(told).toMatch(/Warning .*lost klease fenced \(token \d+\), which could not be renewed/);
      }
      if (onFailure) await runsAgain(environment, onFailure);
      for (const stage of stages) {
        const { status } = await stage.atRest();
        // A pod that must not restart fails, which proves that main has ended.
        expect(status.history.at(-1)?.holder).toBe("old");
        expect(["Expired", "Terminated"]).toContain(status.history.at(-1)?.reason);
      }
    },
  },
  {
    name: "holders are stopped in time, and granted again, also when the API server stops",
    row: "konductor, API server or etcd away",
    needsKubelet,
    locks: ["control plane"],
    timeoutMs: 240_000,
    async run(environment) {
      const stages = await Promise.all(POLICIES.map((policy) => begin(environment, policy)));
      const { controlPlane } = environment.cluster;
      await controlPlane.kill("kube-apiserver");
      const atMs = bootMs();
      try {
        for (const stage of stages) await fallsSilent(stage, atMs + TTL_MS);
      } finally {
        await controlPlane.start("kube-apiserver");
      }
      await Promise.all(stages.map((stage, index) => wasFenced(environment, stage, atMs, POLICIES[index])));
      const [never, onFailure] = stages;
      if (never) await hasFailed(never);
      if (onFailure) await runsAgain(environment, onFailure);
      for (const stage of stages) await stage.atRest();
    },
  },
];

/** Pod `old` holds, with a main that only SIGKILL ends; `next` waits. */
async function begin(environment: Environment, restartPolicy: (typeof POLICIES)[number]): Promise<Stage> {
  const stage = await setStage(environment, "fenced", { ttl: "15s" });
  await stage.apply("old", { onTerm: "ignore", restartPolicy });
  await stage.holds("old");
  await stage.runs("old", 1);
  await stage.apply("next", { runsForSeconds: 2 });
  await stage.waits("next");
  return stage;
}

/** Checks that the first main of `old` ended in time, and that no two mains ran at once. */
async function wasFenced(
  environment: Environment,
  stage: Stage,
  sinceMs: number,
  policy = "",
): Promise<void> {
  const [first] = await stage.runs("old", 1);
  const [next] = await stage.runs("next", 1);
  if (!first || !next) throw new Error("main has not run");
  // The last answered renewal came before the cut.
  expectWithin(environment, {
    what: `restartPolicy ${policy}: from the cut to the end of main`,
    measuredMs: first.toMs - sinceMs,
    boundMs: TTL_MS,
  });
  expect(next.fromMs).toBeGreaterThan(first.toMs);
  expect(overlaps(await stage.journal.runs())).toEqual([]);
}

/** Resolves when the main of `old` has been silent for a second; its last sign of life must come by `limitMs` since boot. */
async function fallsSilent({ journal }: Stage, limitMs: number): Promise<void> {
  await waitFor({
    what: "main to fall silent",
    withinMs: limitMs + SILENCE_MS - bootMs(),
    holds: async () => {
      const [first] = await journal.runs();
      return first !== undefined && bootMs() - first.toMs > SILENCE_MS;
    },
  });
}

async function hasFailed(stage: Stage): Promise<void> {
  const { gate } = await stage.pod("old", "to fail", ({ phase }) => phase === "Failed");
  expect(gate?.exitCode).toBe(EXIT.lost);
  expect(await stage.runs("old", 1)).toHaveLength(1);
}

/** Pod `old` queues again, gets a new hold, and runs. */
async function runsAgain({ kubectl }: Environment, stage: Stage): Promise<void> {
  await stage.runs("old", 2);
  await stage.holds("old");
  await kubectl("-n", stage.namespace, "delete", "pod", "old", "--wait=false", "--grace-period=1");
  expect(overlaps(await stage.journal.runs())).toEqual([]);
}
