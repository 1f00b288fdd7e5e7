/** A kubelet that is gone for good, as far as can be seen, and what people then do to its Node. */
import { expect } from "vitest";
import { LEASES, NODES, PODS } from "../../../src/kube/resources.ts";
import { EXPIRY_ALLOWANCE_MS, TERMINATION_ALLOWANCE_MS } from "../../../src/lease/decision.ts";
import { list, record, text } from "../../../src/shared/json.ts";
import { KEEPER_CONTAINER } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import { bootMs, toBootMs } from "../boot-time.ts";
import type { Environment, Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { handover, holdBefore } from "../handover.ts";
import { type Stage, setStage } from "../stage.ts";

const TTL_MS = 15_000;
const GRACE_MS = 1_000;
const DECIDED_WITHIN_MS = 3_000;
/** The interval of the pod garbage collector. */
const COLLECTED_EVERY_MS = 20_000;
/** `node-monitor-grace-period`, and its delay. */
const NOT_READY_WITHIN_MS = 90_000;
const SIGN_OF_LIFE_MS = 2_000;
const needsKubelet = "the process node has no kubelet";
const OUT_OF_SERVICE = "node.kubernetes.io/out-of-service";

const HOLDER = { graceSeconds: GRACE_MS / 1_000 };
const WITHOUT_FENCE = {
  ...HOLDER,
  container: { lifecycle: { postStart: { exec: { command: ["true"] } } } },
};

export const lostNodes: readonly Scenario[] = [
  {
    name: "a node without kubelet: the next waiter is granted as holder and policy allow, or when the node is tainted as out of service",
    row: "node lost",
    needsKubelet,
    locks: ["node"],
    timeoutMs: 300_000,
    async run(environment) {
      const [fencing, bounded, unproven] = await Promise.all([
        begin(environment, "fencing", HOLDER),
        begin(environment, "bounded", WITHOUT_FENCE, { handoverPolicy: "AfterExpiry" }),
        begin(environment, "unproven", WITHOUT_FENCE),
      ]);
      await withoutKubelet(environment, async (node) => {
        const lost = [
          {
            stage: fencing,
            what: "a lost pod that can fence itself",
            boundMs: TTL_MS + EXPIRY_ALLOWANCE_MS + DECIDED_WITHIN_MS,
          },
          {
            stage: bounded,
            what: "a lost pod that cannot fence itself, AfterExpiry",
            boundMs: TTL_MS + EXPIRY_ALLOWANCE_MS + GRACE_MS + TERMINATION_ALLOWANCE_MS + DECIDED_WITHIN_MS,
          },
        ];
        const atMs = bootMs();
        for (const { stage } of lost) await kill(environment, stage, KEEPER_CONTAINER, "main");
        await kill(environment, unproven, KEEPER_CONTAINER);
        for (const { stage, what, boundMs } of lost) {
          const grantedMs = await nextIsGranted(stage);
          expectWithin(environment, {
            what: `${what}: until the next is granted`,
            measuredMs: toBootMs(grantedMs) - atMs,
            boundMs,
          });
          // The main of the next pod cannot start now, and must not start when the kubelet is back.
          await environment.kubectl("-n", stage.namespace, "delete", "pods", "--all", "--wait=false");
        }
        await isUnreachable(environment, unproven, atMs, "a pod that cannot fence itself");

        await waitFor({
          what: `node ${node} to be called NotReady`,
          withinMs: NOT_READY_WITHIN_MS,
          holds: async () => !(await isReady(environment, node)),
        });
        await kill(environment, unproven, "main");
        const taintedMs = bootMs();
        // Not NoExecute, because konductor runs on this node, too: the collector looks only at the key, whatever the effect.
        await environment.kubectl("taint", "node", node, `${OUT_OF_SERVICE}=nodeshutdown:NoSchedule`);
        try {
          expectWithin(environment, {
            what: "a pod that cannot fence itself: from the out-of-service taint until the next is granted",
            measuredMs: toBootMs(await nextIsGranted(unproven)) - taintedMs,
            boundMs: COLLECTED_EVERY_MS + DECIDED_WITHIN_MS,
          });
        } finally {
          await environment.kubectl("taint", "node", node, `${OUT_OF_SERVICE}-`);
        }
      });
      await handover(unproven);
    },
  },
  {
    name: "a Node's deletion proves nothing: its holder, deleted as well, is unreachable until an admin releases the klease by force",
    row: "force-deleted, garbage-collected, Node deleted, out-of-service taint",
    needsKubelet,
    locks: ["node"],
    timeoutMs: 240_000,
    async run(environment) {
      const { client, kubectl } = environment;
      const stage = await begin(environment, "orphaned", WITHOUT_FENCE);
      const { namespace } = stage;
      const killMain = await killerOfMain(environment, stage);
      await withoutKubelet(environment, async (node) => {
        const atMs = bootMs();
        await kill(environment, stage, KEEPER_CONTAINER);
        await kubectl("delete", "node", node, "--wait=false");
        // The pod garbage collector does the same a minute later, but to all pods of the node, including konductor's.
        await kubectl("-n", namespace, "delete", "pod", "old", "--grace-period=0", "--force");
        await isUnreachable(environment, stage, atMs, "a pod that is gone with its Node");
        await killMain();
        const releasedMs = bootMs();
        const free = { status: { phase: "Available", holder: "" } };
        await client.patch(LEASES, { namespace, name: "orphaned" }, free, { type: "merge" });
        expectWithin(environment, {
          what: "a holder whose Node is gone: from its forced release until the next is granted",
          measuredMs: toBootMs(await nextIsGranted(stage)) - releasedMs,
          boundMs: DECIDED_WITHIN_MS,
        });
      });
      await handover(stage);
    },
  },
];

async function begin(environment: Environment, name: string, details: object, spec = {}): Promise<Stage> {
  const stage = await setStage(environment, name, { ttl: "15s", ...spec });
  await holdBefore(stage, details);
  return stage;
}

/** Stops the kubelet while `act` runs. Before it resolves, everything on the node is as it was. */
async function withoutKubelet(
  { cluster, client, konductor }: Environment,
  act: (node: string) => Promise<void>,
): Promise<void> {
  const { node } = cluster;
  if (!node) throw new Error("there is no kubelet");
  await node.stopKubelet();
  try {
    await act(node.name);
  } finally {
    await node.startKubelet();
    await waitFor({
      what: `node ${node.name} to be Ready again`,
      withinMs: 60_000,
      holds: () => isReady({ client }, node.name),
    });
    // kube-proxy exits when its Node is deleted; in a real cluster it would be restarted.
    await node.kill("kube-proxy");
    await node.start("kube-proxy");
    await konductor.start();
  }
}

/** SIGKILL; without a kubelet nothing restarts the containers, or reports their end. */
async function kill(environment: Environment, { namespace }: Stage, ...containers: string[]): Promise<void> {
  for (const container of containers)
    await environment.killContainer({ namespace, name: "old" }, container, "SIGKILL");
}

/** Resolves with a function that kills the main of `old`, also when the pod's object is gone. */
async function killerOfMain(
  { client, cluster }: Environment,
  { namespace }: Stage,
): Promise<() => Promise<void>> {
  const { status } = record(await client.get(PODS, { namespace, name: "old" }));
  const [main] = list(record(status)["containerStatuses"]).map(record);
  const id = text(main?.["containerID"])?.replace("containerd://", "");
  if (id === undefined) throw new Error("main of pod old has not run");
  return async () => cluster.node?.signalContainer(id, "SIGKILL");
}

async function isReady({ client }: Pick<Environment, "client">, name: string): Promise<boolean> {
  const { status } = record(await client.get(NODES, { name }));
  return list(record(status)["conditions"])
    .map(record)
    .some(({ type, status: is }) => type === "Ready" && is === "True");
}

/** Resolves with the time of day of the grant. */
async function nextIsGranted(stage: Stage): Promise<number> {
  const { status } = await stage.lease(
    "next to be granted the klease",
    ({ status: { hold } }) => hold?.holder === "next",
  );
  return status.hold?.acquiredMs ?? Number.NaN;
}

/** Resolves when the klease shows that an admin must act, while main runs on and no other pod has been granted. */
async function isUnreachable(
  environment: Environment,
  stage: Stage,
  sinceMs: number,
  what: string,
): Promise<void> {
  const { status } = await stage.lease(
    "HolderUnreachable",
    ({ status: { hold } }) => hold?.unreachable === true,
  );
  const condition = status.conditions.find(({ type }) => type === "HolderUnreachable");
  expectWithin(environment, {
    what: `${what}: from the end of its keeper until HolderUnreachable`,
    measuredMs: toBootMs(condition?.lastTransitionMs ?? Number.NaN) - sinceMs,
    boundMs: TTL_MS + EXPIRY_ALLOWANCE_MS + GRACE_MS + TERMINATION_ALLOWANCE_MS + DECIDED_WITHIN_MS,
  });
  const runs = await stage.journal.runs();
  expect(runs).toHaveLength(1);
  expect(bootMs() - (runs[0]?.toMs ?? Number.NaN)).toBeLessThan(SIGN_OF_LIFE_MS);
}
