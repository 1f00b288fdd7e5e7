import { expect } from "vitest";
import { PODS, SERVICES } from "../../../src/kube/resources.ts";
import { record, text } from "../../../src/shared/json.ts";
import { EXIT, SERVICE_NAME, SYSTEM_NAMESPACE } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import { bootMs } from "../boot-time.ts";
import type { Environment, Scenario } from "../environment.ts";
import { overlaps } from "../journal.ts";
import { type Stage, setStage } from "../stage.ts";

const TTL_MS = 15_000;
/** Signs of life come each 100 ms. */
const SILENCE_MS = 1_000;
const needsKubelet = "the process node has no RestartAllContainers";
const POLICIES = ["Never", "OnFailure"] as const;

export const fencing: readonly Scenario[] = [
  {
    name: "a holder whose keeper is cut off from konductor is stopped by its kubelet before the next one starts",
    needsKubelet,
    // Healing takes back every cut there is.
    alone: true,
    timeoutMs: 180_000,
    async run(environment) {
      const stages = await Promise.all(POLICIES.map((policy) => begin(environment, policy)));
      const atMs = bootMs();
      const { node } = environment.cluster;
      for (const stage of stages) {
        const podIp = await ipOf(environment, stage, "old");
        for (const peerIp of await konductorIps(environment)) await node?.partition({ podIp, peerIp });
      }
      await Promise.all(stages.map((stage) => stage.runs("next", 1)));
      await node?.heal();
      await Promise.all(stages.map((stage) => wasFenced(stage, atMs)));
      const [never, onFailure] = stages;
      if (never) await hasFailed(never);
      if (onFailure) await runsAgain(environment, onFailure);
      for (const stage of stages) {
        const { status } = await stage.atRest();
        // A pod that may not run again fails, which proves that main has ended.
        expect(status.history.at(-1)?.holder).toBe("old");
        expect(["Expired", "Terminated"]).toContain(status.history.at(-1)?.reason);
      }
    },
  },
  {
    name: "holders are stopped in time and served again also when the API server stops",
    needsKubelet,
    alone: true,
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
      await Promise.all(stages.map((stage) => wasFenced(stage, atMs)));
      const [never, onFailure] = stages;
      if (never) await hasFailed(never);
      if (onFailure) await runsAgain(environment, onFailure);
      for (const stage of stages) await stage.atRest();
    },
  },
];

/** Pod `old` holds, with a main that must be killed; `next` waits. */
async function begin(environment: Environment, restartPolicy: (typeof POLICIES)[number]): Promise<Stage> {
  const stage = await setStage(environment, "fenced", { ttl: "15s" });
  await stage.apply("old", { onTerm: "ignore", restartPolicy });
  await stage.holds("old");
  await stage.runs("old", 1);
  await stage.apply("next", { runsForSeconds: 2 });
  await stage.waits("next");
  return stage;
}

/** Checks that the first main of `old` was over when its time was, and that no two ran. */
async function wasFenced(stage: Stage, sinceMs: number): Promise<void> {
  const [first] = await stage.runs("old", 1);
  const [next] = await stage.runs("next", 1);
  if (!first || !next) throw new Error("main has not run");
  process.stderr.write(
    `fenced: main lived ${Math.round(first.toMs - sinceMs)} ms longer, the next one started ${Math.round(next.fromMs - first.toMs)} ms after it\n`,
  );
  // The last renewal that was answered came before the cut.
  expect(first.toMs - sinceMs).toBeLessThan(TTL_MS);
  expect(next.fromMs).toBeGreaterThan(first.toMs);
  expect(overlaps(await stage.journal.runs())).toEqual([]);
}

/** Resolves when the main of `old` has given no sign of life for a second; its last one must come by `limitMs` since boot. */
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

/** It queued again, has a hold of its own, and runs. */
async function runsAgain({ kubectl }: Environment, stage: Stage): Promise<void> {
  await stage.runs("old", 2);
  await stage.holds("old");
  await kubectl("-n", stage.namespace, "delete", "pod", "old", "--wait=false", "--grace-period=1");
  expect(overlaps(await stage.journal.runs())).toEqual([]);
}

async function ipOf({ client }: Environment, { namespace }: Stage, name: string): Promise<string> {
  const ip = text(record(record(await client.get(PODS, { namespace, name }))["status"])["podIP"]);
  if (!ip) throw new Error(`pod ${name} has no address`);
  return ip;
}

/** By which a keeper can reach konductor. */
async function konductorIps({ client }: Environment): Promise<string[]> {
  const namespace = SYSTEM_NAMESPACE;
  const service = record(await client.get(SERVICES, { namespace, name: SERVICE_NAME }));
  const pods = (await client.list(PODS, { namespace })).items.map(record);
  return [record(service["spec"])["clusterIP"], ...pods.map((pod) => record(pod["status"])["podIP"])]
    .map(text)
    .filter((ip) => ip !== undefined);
}
