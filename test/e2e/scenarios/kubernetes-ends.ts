/** Kubernetes ends a holder, in each of its ways, and main takes its time to stop. */
import { expect } from "vitest";
import { NODES } from "../../../src/kube/resources.ts";
import { isTerminal } from "../../../src/lease/pod.ts";
import { record } from "../../../src/shared/json.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Environment, Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { BEAT_MS, HANDED_ON_WITHIN_MS, handover, holdBefore } from "../handover.ts";
import { type Stage, setStage } from "../stage.ts";
import { BUSYBOX_IMAGE, job, type Workload } from "../workload.ts";

const STOPS_AFTER_SECONDS = 5;
const DEADLINE_SECONDS = 20;
const SLOT = "konductor.test/slot";
const row = "evicted, preempted, Job deleted, activeDeadlineSeconds";

interface Way {
  what: string;
  /** Set if a Job's pod holds; further fields of the Job's spec. */
  job?: Readonly<Record<string, unknown>>;
  details?: Partial<Workload>;
  needsKubelet?: string;
  /** Prepares the cluster; resolves with a function that undoes the preparation. */
  prepare?(environment: Environment): Promise<() => Promise<void>>;
  end?(environment: Environment, stage: Stage): Promise<void>;
}

const WAYS: readonly Way[] = [
  {
    what: "is evicted",
    async end({ kubectl }, { namespace }) {
      const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { namespace, name: "old" } };
      await kubectl.withObject(eviction, "create", `--raw=/api/v1/namespaces/${namespace}/pods/old/eviction`);
    },
  },
  {
    what: "is preempted",
    needsKubelet: "the process node offers no resources of which there is one",
    details: { container: { resources: { limits: { [SLOT]: "1" } } } },
    prepare: offerSlot,
    end: preempt,
  },
  ...(["foreground", "background"] as const).map(
    (cascade): Way => ({
      what: `loses its Job, deleted in the ${cascade}`,
      job: {},
      async end({ kubectl }, { namespace }) {
        await kubectl("-n", namespace, "delete", "job", "old", `--cascade=${cascade}`, "--wait=false");
      },
    }),
  ),
  { what: "exceeds its Job's activeDeadlineSeconds", job: { activeDeadlineSeconds: DEADLINE_SECONDS } },
  {
    what: "exceeds its own activeDeadlineSeconds",
    needsKubelet: "the process node does not watch deadlines",
    details: { spec: { activeDeadlineSeconds: DEADLINE_SECONDS } },
  },
];

export const kubernetesEnds: readonly Scenario[] = WAYS.map(
  ({ what, job: jobSpec, details, needsKubelet, prepare, end }): Scenario => ({
    name: `a holder that ${what} keeps its klease until its main has ended`,
    row,
    ...(needsKubelet && { needsKubelet }),
    async run(environment) {
      const stage = await setStage(environment, "ended", { ttl: "1m" });
      const stubborn = { ...details, onTerm: { afterSeconds: STOPS_AFTER_SECONDS } };
      const takeBack = await prepare?.(environment);
      try {
        if (jobSpec) await holdByJob(environment, stage, stubborn, jobSpec);
        else await holdBefore(stage, stubborn);
        await end?.(environment, stage);
        const { old, next } = await handover(stage);
        const told = (await stage.journal.entries()).find(({ event }) => event === "term");
        expect(old.toMs - (told?.atMs ?? Number.NaN)).toBeGreaterThan(STOPS_AFTER_SECONDS * 1_000 - BEAT_MS);
        expect(old.ended).toBe(true);
        expectWithin(environment, {
          what: `a holder that ${what}: from the end of its main to the next one`,
          measuredMs: next.fromMs - old.toMs,
          boundMs: HANDED_ON_WITHIN_MS,
        });
      } finally {
        await takeBack?.();
      }
    },
  }),
);

/** Like `holdBefore`, but `old` is a Job's pod. */
async function holdByJob(
  { kubectl }: Environment,
  stage: Stage,
  details: Partial<Workload>,
  spec: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { namespace, journal } = stage;
  await kubectl.withObject(
    job({ namespace, name: "old", lease: "ended", journal, ...details }, spec),
    "apply",
  );
  await waitFor({
    what: "the Job's main to run",
    withinMs: 60_000,
    holds: async () => (await journal.runs()).length === 1,
  });
  await stage.apply("next", { runsForSeconds: 1 });
  await stage.waits("next");
}

/** Gives the node one slot. */
async function offerSlot({ cluster, client, kubectl }: Environment): Promise<() => Promise<void>> {
  const name = cluster.node?.name ?? "";
  const patch = (op: object) =>
    kubectl("patch", "node", name, "--subresource=status", "--type=json", `--patch=${JSON.stringify([op])}`);
  const path = `/status/capacity/${SLOT.replace("/", "~1")}`;
  await patch({ op: "add", path, value: "1" });
  await waitFor({
    what: `node ${name} to offer ${SLOT}`,
    withinMs: 30_000,
    async holds() {
      const { status } = record(await client.get(NODES, { name }));
      return record(record(status)["allocatable"])[SLOT] === "1";
    },
  });
  return async () => void (await patch({ op: "remove", path }));
}

/** Resolves when a pod of higher priority has had the slot. */
async function preempt({ kubectl }: Environment, stage: Stage): Promise<void> {
  const { namespace } = stage;
  const priorityClassName = `${namespace}-rush`;
  await kubectl("create", "priorityclass", priorityClassName, "--value=1000");
  const main = {
    name: "main",
    image: BUSYBOX_IMAGE,
    imagePullPolicy: "IfNotPresent",
    command: ["true"],
    resources: { limits: { [SLOT]: "1" } },
  };
  const rush = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name: "rush" },
    spec: { restartPolicy: "Never", priorityClassName, containers: [main] },
  };
  await kubectl.withObject(rush, "create");
  await stage.pod("rush", "to have run", isTerminal);
  await kubectl("delete", "priorityclass", priorityClassName);
}
