/** Restarts of main by the kubelet itself, and keepers that stay down. */
import { writeFile } from "node:fs/promises";
import { expect } from "vitest";
import { PODS } from "../../../src/kube/resources.ts";
import { EXPIRY_ALLOWANCE_MS } from "../../../src/lease/decision.ts";
import { parsePod } from "../../../src/lease/pod.ts";
import { KEEPER_CONTAINER } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import { bootMs, toBootMs } from "../boot-time.ts";
import type { Environment, Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { HANDED_ON_WITHIN_MS, handover, holdBefore } from "../handover.ts";
import { readLease } from "../observe.ts";
import { type Stage, setStage } from "../stage.ts";
import type { Workload } from "../workload.ts";

const TTL_MS = 15_000;
const STOPS_AFTER_SECONDS = 3;
/** From a decision in the cluster to the signal. */
const TOLD_WITHIN_MS = 5_000;
const RESTARTED_WITHIN_MS = 5_000;
/** The kubelet waits longer each time before it restarts a killed keeper. While that wait is shorter than the ttl, the keeper renews. */
const DOWN_WITHIN_MS = 120_000;

const DOWN: readonly { what: string; outcome: string; details: Partial<Workload> }[] = [
  {
    what: "can fence itself",
    outcome: "is stopped by its kubelet or deleted",
    details: { restartPolicy: "OnFailure" },
  },
  {
    what: "cannot fence itself",
    outcome: "is deleted",
    details: { container: { lifecycle: { postStart: { exec: { command: ["true"] } } } } },
  },
];

export const keeperTroubles: readonly Scenario[] = [
  {
    name: "a main that is restarted in place by its liveness probe keeps its hold, with the same token",
    row: "main, keeper, kubelet or containerd restarted",
    needsKubelet: "the process node has no probes",
    async run(environment) {
      const stage = await setStage(environment, "sick", { ttl: "30s" });
      const sickPath = `${stage.journal.path}.sick`;
      // Fails once each time the file appears.
      const command = ["sh", "-c", `! rm ${sickPath} 2>/dev/null`];
      const livenessProbe = { exec: { command }, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 1 };
      const hold = await holdBefore(stage, {
        restartPolicy: "OnFailure",
        graceSeconds: 1,
        container: { livenessProbe },
      });
      await writeFile(sickPath, "");
      const [first, again] = await stage.runs("old", 2);
      if (!first || !again) throw new Error("main has not run twice");
      expectWithin(environment, {
        what: "from the end of a main that its liveness probe kills to its restart",
        measuredMs: again.fromMs - first.toMs,
        boundMs: RESTARTED_WITHIN_MS,
      });
      const { renewals } = await stage.holds("old");
      const renewed = await stage.lease(
        "another renewal",
        ({ status }) => (status.hold?.renewals ?? 0) > renewals,
      );
      expect(renewed.status.hold).toMatchObject({ holder: "old", token: hold.token });
      await environment.kubectl("-n", stage.namespace, "delete", "pod", "old", "--wait=false");
      await handover(stage);
      expect(await stage.runs("old", 2)).toHaveLength(2);
    },
  },
  ...DOWN.map(
    ({ what, details }): Scenario => ({
      name: `a pod that ${what} and whose keeper's image is gone is deleted, and the next pod runs when main has ended`,
      row: "keeper down past the ttl",
      needsKubelet: "the process node has no images",
      timeoutMs: 180_000,
      async run(environment) {
        const stage = await setStage(environment, "imageless", { ttl: "15s" });
        await holdBefore(stage, { ...details, onTerm: { afterSeconds: STOPS_AFTER_SECONDS } });
        const patch = {
          spec: { initContainers: [{ name: KEEPER_CONTAINER, image: "konductor.test/missing:1" }] },
        };
        // The policy that would refuse the patch is deleted for good: nothing else in the suite relies on it.
        const binding = ["validatingadmissionpolicybinding", "konductor-pod-changes"];
        await environment.kubectl("delete", ...binding, "--ignore-not-found");
        const change = ["patch", "pod", "old", `--patch=${JSON.stringify(patch)}`];
        await waitFor({
          what: "the API server to take another image of the keeper",
          withinMs: 30_000,
          holds: async () => Boolean(await environment.kubectl("-n", stage.namespace, ...change)),
        });
        const patchedMs = bootMs();
        const { old, next } = await handover(stage);
        const told = (await stage.journal.entries()).find(({ event }) => event === "term");
        expectWithin(environment, {
          what: `a pod that ${what}: from the loss of its keeper's image to main's SIGTERM`,
          measuredMs: (told?.atMs ?? Number.NaN) - patchedMs,
          // The keeper runs on until the kubelet has seen the patch.
          boundMs: TTL_MS + EXPIRY_ALLOWANCE_MS + 2 * TOLD_WITHIN_MS,
        });
        expect(old.ended).toBe(true);
        expectWithin(environment, {
          what: `a pod that ${what}: from the end of the main without a keeper to the next one`,
          measuredMs: next.fromMs - old.toMs,
          boundMs: HANDED_ON_WITHIN_MS,
        });
      },
    }),
  ),
  ...DOWN.map(
    ({ what, outcome, details }): Scenario => ({
      name: `a pod that ${what} and whose keeper is killed again and again ${outcome}, and the next pod runs when main has ended`,
      row: "keeper down past the ttl",
      needsKubelet: "the process node has no RestartAllContainers",
      timeoutMs: 240_000,
      async run(environment) {
        const stage = await setStage(environment, "crashing", { ttl: "15s" });
        const { token } = await holdBefore(stage, {
          ...details,
          onTerm: { afterSeconds: STOPS_AFTER_SECONDS },
        });
        const renewedMs = await killKeeper(environment, stage, token);
        const told = (await stage.journal.entries()).find(({ event }) => event === "term");
        expectWithin(environment, {
          what: `a pod that ${what}: from the last renewal of a keeper that is killed again and again to main's SIGTERM`,
          measuredMs: (told?.atMs ?? Number.NaN) - toBootMs(renewedMs),
          boundMs: TTL_MS + EXPIRY_ALLOWANCE_MS + TOLD_WITHIN_MS,
        });
        const gone = ["--wait=false", "--ignore-not-found"];
        await environment.kubectl("-n", stage.namespace, "delete", "pod", "old", ...gone);
        const { old, next } = await handover(stage);
        expectWithin(environment, {
          what: `a pod that ${what}: from the end of its main to the next one`,
          measuredMs: next.fromMs - old.toMs,
          boundMs: HANDED_ON_WITHIN_MS,
        });
      },
    }),
  ),
];

/** Kills the keeper of `old` whenever it runs, until `next` runs; resolves with the time of day of the last renewal. */
async function killKeeper(environment: Environment, stage: Stage, token: number): Promise<number> {
  const { client, killContainer } = environment;
  const { namespace, journal } = stage;
  const old = { namespace, name: "old" };
  let renewedMs = Number.NaN;
  await waitFor({
    what: "the next one to run",
    withinMs: DOWN_WITHIN_MS,
    async holds() {
      const { hold } = (await readLease(environment, namespace, "crashing")).status;
      if (hold?.token === token) renewedMs = hold.expiresMs - hold.ttlMs;
      if ((await journal.runs()).some(({ by }) => by === "next")) return true;
      const { keeper } = await client.get(PODS, old, parsePod);
      // The status may still show the keeper that was killed before.
      if (keeper?.state === "running") await killContainer(old, KEEPER_CONTAINER, "SIGKILL");
      return false;
    },
  });
  return renewedMs;
}
