import { expect } from "vitest";
import { PODS } from "../../../src/kube/resources.ts";
import type { Hold } from "../../../src/lease/types.ts";
import { list, record } from "../../../src/shared/json.ts";
import { GATE_CONTAINER, KEEPER_CONTAINER } from "../../../src/shared/names.ts";
import type { NodeProcessName } from "../../cluster/cluster.ts";
import { waitFor } from "../../cluster/wait.ts";
import { bootMs, toBootMs } from "../boot-time.ts";
import type { Environment, PodName, Scenario } from "../environment.ts";
import { HANDED_ON_WITHIN_MS } from "../handover.ts";
import { overlaps } from "../journal.ts";
import { type Stage, setStage } from "../stage.ts";
import type { Workload } from "../workload.ts";

const SHORT = { ttl: "15s" };
const CONFIRM_WITHIN_MS = 10_000;
/** A waiting gate pauses for at most 5 s between two tries, each of which may take 3 s for each of two addresses. */
const RECONNECTED_WITHIN_MS = 11_000;
const OUTAGE_MS = 20_000;

export const nodeFaults: readonly Scenario[] = [
  {
    name: "a keeper killed with -9 comes back and renews the same hold",
    isSmoke: true,
    row: "main, keeper, kubelet or containerd restarted",
    async run(environment) {
      const stage = await setStage(environment, "kept", SHORT);
      const hold = await begin(stage);
      const old = { namespace: stage.namespace, name: "old" };
      await environment.killContainer(old, KEEPER_CONTAINER, "SIGKILL");
      await restarts(environment, old, KEEPER_CONTAINER);
      await goesOn(environment, stage, hold);
    },
  },
  {
    name: "a main that fails and restarts in place keeps its hold",
    row: "main, keeper, kubelet or containerd restarted",
    async run(environment) {
      const stage = await setStage(environment, "retried", SHORT);
      const hold = await begin(stage, { restartPolicy: "OnFailure", failsAtFirst: true, runsForSeconds: 3 });
      await stage.runs("old", 2);
      const { status } = await stage.atRest();
      expect(status.history.map(({ holder, token }) => [holder, token])).toEqual([
        ["next", hold.token + 1],
        ["old", hold.token],
      ]);
      expect(overlaps(await stage.journal.runs())).toEqual([]);
    },
  },
  {
    name: `a konductor that is away for ${OUTAGE_MS / 1000} s costs no holder a hold of 1m`,
    isSmoke: true,
    row: "konductor, API server or etcd away",
    home: "process",
    locks: ["konductor"],
    timeoutMs: 180_000,
    async run(environment) {
      const stage = await setStage(environment, "patient", { ttl: "1m" });
      const hold = await begin(stage);
      await environment.konductor.stop();
      const atMs = bootMs();
      await waitFor({
        what: "the outage to last long enough",
        withinMs: OUTAGE_MS + 1_000,
        holds: async () => bootMs() - atMs >= OUTAGE_MS,
      });
      await environment.konductor.start();
      await goesOn(environment, stage, hold, RECONNECTED_WITHIN_MS);
    },
  },
  ...(["kubelet", "containerd"] as const satisfies NodeProcessName[]).map(
    (name): Scenario => ({
      name: `a ${name} that is killed and started again costs no holder its hold`,
      row: "main, keeper, kubelet or containerd restarted",
      needsKubelet: `the process node has no ${name}`,
      locks: ["node"],
      async run(environment) {
        const stage = await setStage(environment, "steady", SHORT);
        const hold = await begin(stage);
        await environment.cluster.node?.kill(name);
        await environment.cluster.node?.start(name);
        await goesOn(environment, stage, hold);
      },
    }),
  ),
  {
    name: "a pod whose sandbox is killed gives its hold up after main, and queues again",
    row: "sandbox re-created",
    needsKubelet: "the process node has no sandboxes",
    async run(environment) {
      const stage = await setStage(environment, "sandboxed", { ttl: "1m" });
      const hold = await begin(stage, { restartPolicy: "OnFailure" });
      const { uid } = await stage.pod("old", "to be there", () => true);
      await environment.cluster.node?.killSandbox(uid);
      const [, again] = await stage.runs("old", 2);
      const [first] = await stage.runs("old", 1);
      // The first main was told to stop, and not just killed.
      expect(first?.ended).toBe(true);
      const later = await stage.holds("old");
      expect(later.token).toBeGreaterThan(hold.token);
      expect(again?.fromMs).toBeGreaterThan(toBootMs(later.acquiredMs));
      await stop(environment, stage, "old");
      await stage.atRest();
      expect(await stage.runs("next", 1)).toHaveLength(1);
      expect(overlaps(await stage.journal.runs())).toEqual([]);
    },
  },
  {
    name: "a gate killed with -9 while it waits: a pod that may restart keeps its place, and a pod that must not is passed over",
    row: "gate killed, gate silent, pod deleted while it waits",
    async run(environment) {
      const stage = await setStage(environment, "waiting", SHORT);
      await begin(stage, {}, { restartPolicy: "OnFailure" });
      await stage.apply("failing", { runsForSeconds: 1 });
      await stage.waits("failing");
      await stage.apply("last", { runsForSeconds: 1 });
      await stage.waits("last");
      const next = { namespace: stage.namespace, name: "next" };
      for (const pod of [next, { ...next, name: "failing" }])
        await environment.killContainer(pod, GATE_CONTAINER, "SIGKILL");
      await stage.pod("failing", "to fail", ({ phase }) => phase === "Failed");
      await restarts(environment, next, GATE_CONTAINER);
      await stop(environment, stage, "old");
      const { status } = await stage.atRest();
      expect(status.history.map(({ holder }) => holder)).toEqual(["last", "next", "old"]);
      await servedOneAfterTheOther(stage);
    },
  },
  ...(
    [
      {
        policy: "Never",
        outcome: "the next one is served",
        order: ["last", "next", "old"],
        ran: ["old", "last"],
      },
      {
        policy: "OnFailure",
        outcome: "its pod is let in again",
        order: ["last", "next", "old"],
        ran: ["old", "next", "last"],
      },
    ] as const
  ).map(
    ({ policy, outcome, order, ran }): Scenario => ({
      name: `a gate killed with -9 after its grant, restartPolicy ${policy}: ${outcome}`,
      row: "gate killed, gate silent, pod deleted while it waits",
      async run(environment) {
        const stage = await setStage(environment, "granted", SHORT);
        await begin(stage, {}, { restartPolicy: policy });
        await stage.apply("last", { runsForSeconds: 1 });
        await stage.waits("last");
        const next = { namespace: stage.namespace, name: "next" };
        // A paused gate cannot confirm its grant.
        await environment.killContainer(next, GATE_CONTAINER, "SIGSTOP");
        await stop(environment, stage, "old");
        await stage.lease("next to be granted the klease", ({ status }) => status.hold?.holder === "next");
        await environment.killContainer(next, GATE_CONTAINER, "SIGKILL");
        const { status } = await stage.atRest();
        expect(status.history.map(({ holder }) => holder)).toEqual(order);
        // If the killed pod must not restart, two handovers lie between the runs.
        expect(await servedOneAfterTheOther(stage, 2 * HANDED_ON_WITHIN_MS)).toEqual(ran);
      },
    }),
  ),
  {
    name: "a gate that does not answer its grant is passed over, and granted when it asks again",
    row: "gate killed, gate silent, pod deleted while it waits",
    async run(environment) {
      const stage = await setStage(environment, "frozen", SHORT);
      await begin(stage);
      const next = { namespace: stage.namespace, name: "next" };
      await stage.apply("last", { runsForSeconds: 1 });
      await stage.waits("last");
      await environment.killContainer(next, GATE_CONTAINER, "SIGSTOP");
      await stop(environment, stage, "old");
      const { acquiredMs } = await stage.holds("last", CONFIRM_WITHIN_MS + 2 * HANDED_ON_WITHIN_MS);
      await environment.killContainer(next, GATE_CONTAINER, "SIGCONT");
      const { status } = await stage.atRest();
      const served = status.history.map(({ holder }) => holder);
      expect(served).toEqual(["next", "last", "next", "old"]);
      const passedOver = status.history.find(({ reason }) => reason === "NotConfirmed");
      expect(acquiredMs - (passedOver?.acquiredMs ?? Number.NaN)).toBeGreaterThanOrEqual(CONFIRM_WITHIN_MS);
      expect(overlaps(await stage.journal.runs())).toEqual([]);
    },
  },
  {
    name: "a pod that is deleted while it waits leaves the queue, and the pod behind it is granted",
    row: "gate killed, gate silent, pod deleted while it waits",
    async run(environment) {
      const stage = await setStage(environment, "left", SHORT);
      await begin(stage);
      await stage.apply("last", { runsForSeconds: 1 });
      await stage.waits("last");
      const { kubectl } = environment;
      await kubectl("-n", stage.namespace, "delete", "pod", "next", "old", "--wait=false");
      const { status } = await stage.atRest();
      expect(status.history.map(({ holder }) => holder)).toEqual(["last", "old"]);
      await servedOneAfterTheOther(stage);
    },
  },
];

/** Resolves when the container runs again, having ended once. */
function restarts({ client }: Environment, ref: PodName, container: string): Promise<void> {
  return waitFor({
    what: `${container} of pod ${ref.name} to run again`,
    withinMs: 60_000,
    async holds() {
      const status = record(record(await client.get(PODS, ref))["status"]);
      const found = list(status["initContainerStatuses"])
        .map(record)
        .find(({ name }) => name === container);
      return found?.["restartCount"] === 1 && record(found["state"])["running"] !== undefined;
    },
  });
}

/** Pod `old` holds and runs until SIGTERM; `next` waits. */
async function begin(stage: Stage, old: Partial<Workload> = {}, next: Partial<Workload> = {}): Promise<Hold> {
  await stage.apply("old", old);
  const hold = await stage.holds("old");
  await stage.runs("old", 1);
  await stage.apply("next", { runsForSeconds: 1, ...next });
  await stage.waits("next");
  return hold;
}

/** Checks that the same main keeps renewing the hold; then ends main, so that the next pod has its turn. */
async function goesOn(
  environment: Environment,
  stage: Stage,
  { token }: Hold,
  nextTakesMs = 0,
): Promise<void> {
  const before = await stage.lease("the klease to be there", () => true);
  const renewed = await stage.lease(
    "another renewal",
    ({ status }) => (status.hold?.renewals ?? 0) > (before.status.hold?.renewals ?? 0),
  );
  expect(renewed.status.hold).toMatchObject({ holder: "old", token });
  expect(await stage.journal.runs()).toHaveLength(1);
  await stop(environment, stage, "old");
  const { status } = await stage.atRest();
  expect(status.history.map((past) => [past.holder, past.token])).toEqual([
    ["next", token + 1],
    ["old", token],
  ]);
  await servedOneAfterTheOther(stage, HANDED_ON_WITHIN_MS + nextTakesMs);
}

async function stop({ kubectl }: Environment, { namespace }: Stage, name: string): Promise<void> {
  await kubectl("-n", namespace, "delete", "pod", name, "--wait=false");
}

/** Checks that each main began soon after the main before it had ended, and not earlier; resolves with the order of the pods. */
async function servedOneAfterTheOther({ journal }: Stage, withinMs = HANDED_ON_WITHIN_MS): Promise<string[]> {
  const runs = await journal.runs();
  expect(overlaps(runs)).toEqual([]);
  for (const [index, { fromMs }] of runs.slice(1).entries()) {
    expect(fromMs - (runs[index]?.toMs ?? Number.NaN)).toBeLessThan(withinMs);
  }
  return runs.map(({ by }) => by);
}
