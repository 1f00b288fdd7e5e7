/** What people do to a klease while a pod holds it: they take it away by force, or change its spec. */
import { expect } from "vitest";
import { LEASES } from "../../../src/kube/resources.ts";
import { isTerminal } from "../../../src/lease/pod.ts";
import type { Environment, Scenario } from "../environment.ts";
import { overlaps } from "../journal.ts";
import { type Stage, setStage } from "../stage.ts";
import { waitForEnded } from "../turns.ts";

/** The user of the tests' kubeconfig. */
const ADMIN = "admin";
const FREE = { status: { phase: "Available", holder: "" } };

function patchLease(environment: Environment, { namespace }: Stage, name: string, patch: object) {
  return environment.client.patch(LEASES, { namespace, name }, patch, { type: "merge" });
}

export const specChanges: readonly Scenario[] = [
  {
    name: "the forced release of a running holder deletes its pod, and the next pod runs when main has ended",
    row: "Lease deleted or changed while held, forced release",
    async run(environment) {
      const stage = await setStage(environment, "taken", { ttl: "5m" });
      const { namespace } = stage;
      await stage.apply("holder", { onTerm: { afterSeconds: 3 }, graceSeconds: 20 });
      const { token } = await stage.holds("holder");
      await stage.runs("holder", 1);
      await stage.apply("waiter", { runsForSeconds: 1 });
      await stage.waits("waiter");
      await patchLease(environment, stage, "taken", FREE);

      const revoked = await stage.lease(
        "renewals to be refused",
        ({ status }) => status.hold?.revoked === "Forced",
      );
      expect(revoked.status.hold?.token).toBe(token);
      await stage.holds("waiter");
      await waitForEnded(stage, 2);
      expect(overlaps(await stage.journal.runs())).toEqual([]);
      const { status } = await stage.lease(
        "the hold to be in the history",
        ({ status }) => status.history.length > 0,
      );
      expect(status.history.at(-1)).toMatchObject({ holder: "holder", token, reason: "Forced", by: ADMIN });
      expect(await environment.kubectl("-n", namespace, "describe", "klease", "taken")).toMatch(
        new RegExp(`Forced .*ended: Forced by ${ADMIN}`),
      );
    },
  },
  {
    name: "the forced release of a vanished holder takes effect at once, though its klease requires proof",
    row: "Lease deleted or changed while held, forced release",
    async run(environment) {
      const spec = { ttl: "5m", handoverPolicy: "AfterTermination" };
      const stage = await setStage(environment, "gone", spec);
      const { namespace } = stage;
      await stage.apply("holder", { graceSeconds: 1 });
      const { token } = await stage.holds("holder");
      await stage.runs("holder", 1);
      await stage.apply("waiter", { runsForSeconds: 1 });
      await stage.waits("waiter");
      await environment.kubectl("-n", namespace, "delete", "pod", "holder", "--force", "--grace-period=0");
      expect((await stage.lease("the hold to go on", () => true)).status.hold?.token).toBe(token);
      await patchLease(environment, stage, "gone", FREE);
      await stage.holds("waiter", 10_000);
      await stage.pod("waiter", "to end", isTerminal);
    },
  },
  {
    name: "a changed ttl reaches the holder's pod: a longer one at the next renewal, a shorter one at the renewal after that",
    row: "Lease deleted or changed while held, forced release",
    timeoutMs: 180_000,
    async run(environment) {
      const stage = await setStage(environment, "stretched", { ttl: "15s" });
      const holder = await stage.apply("holder");
      const { token } = await stage.holds("holder");
      const ttlBecomes = (ttlMs: number) =>
        stage.lease(`the hold's ttl to be ${ttlMs} ms`, ({ status }) => status.hold?.ttlMs === ttlMs, 90_000);
      await patchLease(environment, stage, "stretched", { spec: { ttl: "45s" } });
      await ttlBecomes(45_000);
      await patchLease(environment, stage, "stretched", { spec: { ttl: "20s" } });
      const { status } = await ttlBecomes(20_000);
      expect(status.hold).toMatchObject({ token, holder: "holder" });
      await stage.endMain(holder.name);
      await stage.atRest();
      expect(await stage.journal.runs()).toHaveLength(1);
    },
  },
  {
    name: "a klease that becomes not renewable ends the current hold, and its main ends before the next one begins",
    row: "Lease deleted or changed while held, forced release",
    async run(environment) {
      const stage = await setStage(environment, "frozen", { ttl: "15s" });
      await stage.apply("holder");
      await stage.holds("holder");
      await stage.runs("holder", 1);
      await stage.apply("waiter", { runsForSeconds: 1 });
      await stage.waits("waiter");
      await patchLease(environment, stage, "frozen", { spec: { renewable: false } });
      await stage.holds("waiter", 90_000);
      await stage.pod("waiter", "to end", isTerminal);
      expect(overlaps(await stage.journal.runs())).toEqual([]);
    },
  },
];
