import { expect } from "vitest";
import { find } from "../../../src/kube/find.ts";
import { LEASE_REQUESTS, LEASES, NAMESPACES, PODS } from "../../../src/kube/resources.ts";
import { isTerminal, parsePod } from "../../../src/lease/pod.ts";
import type { LeaseRequest } from "../../../src/lease/types.ts";
import { record } from "../../../src/shared/json.ts";
import { EXIT, GATE_CONTAINER } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Environment, Scenario } from "../environment.ts";
import { overlaps } from "../journal.ts";
import { readRequests } from "../observe.ts";
import { setStage } from "../stage.ts";
import { expectTurns, waitForEnded, waitForQueue } from "../turns.ts";

const PODS_GONE_WITHIN_MS = 60_000;
/** No promise of konductor's: Kubernetes looks again at a namespace whenever it gets to it, at the latest after a minute. */
const NAMESPACE_GONE_WITHIN_MS = 90_000;

export const foreignHands: readonly Scenario[] = [
  {
    name: "a holder's request that somebody deletes is recreated, and the hold goes on",
    async run(environment) {
      const stage = await setStage(environment, "kept", { ttl: "1m" });
      const { namespace } = stage;
      const holder = await stage.apply("holder");
      const { token } = await stage.holds("holder");
      await stage.apply("waiter", { runsForSeconds: 0.5 });
      await stage.waits("waiter");
      const first = await requestOf(environment, namespace, "holder");
      await environment.client.delete(LEASE_REQUESTS, { namespace, name: first.name }, { uid: first.uid });

      await waitFor({
        what: "the request to be put back and granted",
        withinMs: 30_000,
        async holds() {
          const { uid, status, spec } = await requestOf(environment, namespace, "holder");
          return uid !== first.uid && spec.ref?.uid === first.spec.ref?.uid && status.token === token;
        },
      });
      expect((await stage.holds("holder")).token).toBe(token);
      await stage.endMain(holder.name);
      await waitForEnded(stage, 2);
      await expectTurns(environment, stage, 2);
      await stage.atRest();
    },
  },
  {
    name: "a waiter's request that somebody deletes ends its gate with Withdrawn and exit 69",
    async run(environment) {
      const { client, kubectl } = environment;
      const stage = await setStage(environment, "withdrawn", { ttl: "1m" });
      const { namespace } = stage;
      const holder = await stage.apply("holder");
      const { token } = await stage.holds("holder");
      await stage.apply("waiter", { runsForSeconds: 0.5 });
      await stage.waits("waiter");
      const { name, uid } = await requestOf(environment, namespace, "waiter");
      await client.delete(LEASE_REQUESTS, { namespace, name }, { uid });

      const { gate } = await stage.pod("waiter", "to fail", ({ phase }) => phase === "Failed");
      expect(gate?.exitCode).toBe(EXIT.refused);
      expect(await kubectl("-n", namespace, "logs", "waiter", "-c", GATE_CONTAINER)).toContain("(Withdrawn)");
      expect((await stage.holds("holder")).token).toBe(token);
      await stage.endMain(holder.name);
      await stage.atRest();
      await expectTurns(environment, stage, 1);
    },
  },
  {
    name: "the deletion of a held klease ends its holder before the next pod runs",
    row: "Lease deleted or changed while held, forced release",
    async run(environment) {
      const { client } = environment;
      const stage = await setStage(environment, "deleted", { ttl: "30s" });
      const { namespace } = stage;
      await stage.apply("holder");
      const { token } = await stage.holds("holder");
      await stage.runs("holder", 1);
      await stage.apply("waiter", { runsForSeconds: 1 });
      await stage.waits("waiter");
      await client.delete(LEASES, { namespace, name: "deleted" });

      const hold = await stage.holds("waiter", 90_000);
      expect(hold.token).toBeGreaterThan(token);
      await stage.pod("waiter", "to end", isTerminal);
      expect(overlaps(await stage.journal.runs())).toEqual([]);
    },
  },
  {
    name: "a namespace with a holder and waiters terminates when their pods have ended, and no two mains run at once",
    async run(environment) {
      const { client } = environment;
      const stage = await setStage(environment, "doomed", { ttl: "1m" });
      const { namespace, journal } = stage;
      await stage.apply("holder", { graceSeconds: 5 });
      await stage.holds("holder");
      await stage.runs("holder", 1);
      for (const name of ["first", "second", "third"]) await stage.apply(name, { graceSeconds: 5 });
      await waitForQueue(environment, stage, 3);
      await client.delete(NAMESPACES, { name: namespace });
      await waitFor({
        what: `the pods of namespace ${namespace} to be gone`,
        withinMs: PODS_GONE_WITHIN_MS,
        async holds() {
          const { items } = await client.list(PODS, { namespace }, parsePod);
          if (items.length === 0) return true;
          throw new Error(`there are ${JSON.stringify(items)}`);
        },
      });
      await waitFor({
        what: `namespace ${namespace} to be gone, since nothing of konductor's keeps it`,
        withinMs: NAMESPACE_GONE_WITHIN_MS,
        async holds() {
          const found = await find(client, NAMESPACES, { name: namespace }, record);
          if (!found) return true;
          throw new Error(`its status is ${JSON.stringify(found["status"])}`);
        },
      });
      expect(overlaps(await journal.runs())).toEqual([]);
    },
  },
];

/** The request of pod `name`, the request's holder. */
async function requestOf(environment: Environment, namespace: string, name: string): Promise<LeaseRequest> {
  const found = (await readRequests(environment, namespace)).find(({ spec }) => spec.holder === name);
  if (!found) throw new Error(`${name} has no request in ${namespace}`);
  return found;
}
