/** Keepers that are cut off from konductor, where main is hard to stop in time, or where only Kubernetes can stop it. */
import { writeFile } from "node:fs/promises";
import { expect } from "vitest";
import { EXPIRY_ALLOWANCE_MS } from "../../../src/lease/decision.ts";
import type { Heal } from "../../cluster/cluster.ts";
import { waitFor } from "../../cluster/wait.ts";
import { bootMs, toBootMs } from "../boot-time.ts";
import { cutOff } from "../cut-off.ts";
import type { Environment, Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { HANDED_ON_WITHIN_MS, holdBefore } from "../handover.ts";
import { type Stage, setStage } from "../stage.ts";
import { mainScript, podTemplate, type Workload } from "../workload.ts";

const needsKubelet = "the process node has no partitions, and no RestartAllContainers";
/** From a decision in the cluster to the signal. */
const TOLD_WITHIN_MS = 5_000;
const NEXT_WITHIN_MS = 90_000;
const PROBE_GRACE_SECONDS = 8;
/** How long before the keeper fences the kubelet begins to kill main for another reason. */
const SICK_BEFORE_FENCE_MS = 2_000;

interface Case {
  stage: Stage;
  ttlMs: number;
}

export const partitions: readonly Scenario[] = [
  {
    name: "a keeper that is cut off stops four mains in time, and also a main that its liveness probe is just killing",
    row: "keeper cut off, and the pod can fence itself",
    needsKubelet,
    // Four kills of 2 s each leave little time to a kubelet that is short of CPU.
    timeoutMs: 240_000,
    async run(environment) {
      const [four, sick] = await Promise.all([holdWithFourMains(environment), holdWithProbe(environment)]);
      const stopMs = (3 + 2 + PROBE_GRACE_SECONDS) * 1_000;
      const heal = await cutOffHolders(environment, [four, sick]);
      try {
        const fourRenewedMs = await lastRenewalMs(four.stage);
        const sickRenewedMs = await lastRenewalMs(sick.stage);
        const sickAtMs = sickRenewedMs + sick.ttlMs - stopMs - SICK_BEFORE_FENCE_MS;
        await waitFor({
          what: "the fence to be near",
          withinMs: sick.ttlMs,
          holds: async () => bootMs() >= sickAtMs,
        });
        await writeFile(sickPath(sick.stage), "");
        for (const [what, each, renewedMs] of [
          ["four mains that ignore SIGTERM", four, fourRenewedMs],
          ["a main that is being killed by its liveness probe", sick, sickRenewedMs],
        ] as const) {
          const { endedMs, nextMs } = await nextRuns(each.stage);
          expectWithin(environment, {
            what: `${what}: from the last renewal before the cut to the end of main`,
            measuredMs: endedMs - renewedMs,
            // No other pod is granted the klease before.
            boundMs: each.ttlMs + EXPIRY_ALLOWANCE_MS,
          });
          expect(nextMs).toBeGreaterThan(endedMs);
        }
      } finally {
        await heal();
      }
      // Both pods have queued again, and run.
      for (const { stage } of [four, sick]) await stage.holds("old");
      await clearAway(environment, [four, sick]);
    },
  },
  {
    name: "a pod whose keeper is cut off and cannot stop it is deleted when its time is over, and the next pod runs when main has ended",
    row: "keeper cut off, and the pod cannot fence itself",
    needsKubelet,
    timeoutMs: 240_000,
    async run(environment) {
      const cases = await Promise.all([
        holdWithoutFence(environment, "AfterTermination", 10, { onTerm: { afterSeconds: 3 } }),
        holdWithoutFence(environment, "AfterExpiry", 5, { onTerm: "ignore" }),
      ]);
      const heal = await cutOffHolders(environment, cases);
      try {
        const renewedMs = await Promise.all(cases.map(({ stage }) => lastRenewalMs(stage)));
        for (const [index, { stage, ttlMs, policy, graceSeconds }] of cases.entries()) {
          const { endedMs, nextMs } = await nextRuns(stage);
          const told = (await stage.journal.entries()).find(({ event }) => event === "term");
          expectWithin(environment, {
            what: `${policy}: from the last renewal before the cut to main's SIGTERM`,
            measuredMs: (told?.atMs ?? Number.NaN) - (renewedMs[index] ?? Number.NaN),
            boundMs: ttlMs + EXPIRY_ALLOWANCE_MS + TOLD_WITHIN_MS,
          });
          expect(nextMs).toBeGreaterThan(endedMs);
          expectWithin(environment, {
            what: `${policy}: from main's SIGTERM to the next main`,
            measuredMs: nextMs - (told?.atMs ?? Number.NaN),
            // The keeper, which ends last, tries in vain to report the end to konductor.
            boundMs: graceSeconds * 1_000 + HANDED_ON_WITHIN_MS,
          });
        }
      } finally {
        await heal();
      }
      await clearAway(environment, cases);
    },
  },
];

/** Resolves with a function that heals the cuts. */
function cutOffHolders(environment: Environment, cases: readonly Case[]): Promise<Heal> {
  const holders = cases.map(({ stage: { namespace } }) => ({ namespace, name: "old" }));
  return cutOff(environment, holders);
}

async function holdWithFourMains(environment: Environment): Promise<Case> {
  const stage = await setStage(environment, "four", { ttl: "25s" });
  const workload = {
    namespace: stage.namespace,
    name: "old",
    journal: stage.journal,
    onTerm: "ignore",
  } as const;
  const [main] = podTemplate(workload).spec.containers;
  // Each container writes under a name of its own.
  const containers = ["main", "second", "third", "fourth"].map((name) => ({
    ...main,
    name,
    command: ["sh", "-c", `${name === "main" ? "" : `HOSTNAME=old.${name}\n`}${mainScript(workload)}`],
  }));
  await holdBefore(stage, { restartPolicy: "Always", spec: { containers } });
  for (const { name } of containers.slice(1)) await stage.runs(`old.${name}`, 1);
  return { stage, ttlMs: 25_000 };
}

const sickPath = ({ journal }: Stage) => `${journal.path}.sick`;

async function holdWithProbe(environment: Environment): Promise<Case> {
  const stage = await setStage(environment, "sick", { ttl: "30s" });
  // Fails once each time the file appears.
  const exec = { command: ["sh", "-c", `! rm ${sickPath(stage)} 2>/dev/null`] };
  const livenessProbe = {
    exec,
    periodSeconds: 1,
    timeoutSeconds: 10,
    failureThreshold: 1,
    terminationGracePeriodSeconds: PROBE_GRACE_SECONDS,
  };
  await holdBefore(stage, { restartPolicy: "OnFailure", onTerm: "ignore", container: { livenessProbe } });
  return { stage, ttlMs: 30_000 };
}

async function holdWithoutFence(
  environment: Environment,
  policy: string,
  graceSeconds: number,
  details: Partial<Workload>,
): Promise<Case & { policy: string; graceSeconds: number }> {
  const stage = await setStage(environment, "deleted", { ttl: "15s", handoverPolicy: policy });
  const container = { lifecycle: { postStart: { exec: { command: ["true"] } } } };
  await holdBefore(stage, { ...details, graceSeconds, container });
  return { stage, ttlMs: 15_000, policy, graceSeconds };
}

/** The time of the last renewal, by the clock of the journals. */
async function lastRenewalMs(stage: Stage): Promise<number> {
  const { status } = await stage.lease("old to hold", ({ status: { hold } }) => hold?.holder === "old");
  return toBootMs((status.hold?.expiresMs ?? Number.NaN) - (status.hold?.ttlMs ?? Number.NaN));
}

/** Waits until `next` runs; resolves with when the last main before it ended. */
async function nextRuns(stage: Stage): Promise<{ endedMs: number; nextMs: number }> {
  const [next] = await stage.runs("next", 1, NEXT_WITHIN_MS);
  const nextMs = next?.fromMs ?? Number.NaN;
  const before = (await stage.journal.runs()).filter(({ by, fromMs }) => by !== "next" && fromMs < nextMs);
  return { endedMs: Math.max(...before.map(({ toMs }) => toMs)), nextMs };
}

async function clearAway({ kubectl }: Environment, cases: readonly Case[]): Promise<void> {
  for (const { stage } of cases) {
    const flags = ["--wait=false", "--ignore-not-found", "--grace-period=1"];
    await kubectl("-n", stage.namespace, "delete", "pod", "old", ...flags);
  }
  for (const { stage } of cases) await stage.atRest();
}
