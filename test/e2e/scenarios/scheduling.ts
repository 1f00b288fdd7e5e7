/** `gate: scheduling`: a waiting pod uses no node. */
import { expect } from "vitest";
import { LEASE_REQUESTS, NODES } from "../../../src/kube/resources.ts";
import { parseLeaseRequest } from "../../../src/lease/codec.ts";
import { isTerminal } from "../../../src/lease/pod.ts";
import { record, text } from "../../../src/shared/json.ts";
import { ANNOTATION } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Environment, Scenario } from "../environment.ts";
import { readRequests } from "../observe.ts";
import { setStage } from "../stage.ts";
import { expectTurns, waitForEnded } from "../turns.ts";

const unscheduled = { [ANNOTATION.gate]: "scheduling" };
const REQUIRED_LABEL = "konductor.test/has-come";

async function nodeName({ client }: Environment): Promise<string> {
  const { items } = await client.list(NODES);
  return text(record(record(items[0])["metadata"])["name"]) ?? "";
}

export const scheduling: readonly Scenario[] = [
  {
    name: "gate: scheduling: a waiting pod has no node, and each runs in its turn",
    async run(environment) {
      const stage = await setStage(environment, "unscheduled", { ttl: "1m" });
      const first = await stage.apply("first", { annotations: unscheduled });
      await stage.holds("first");
      await stage.runs("first", 1);
      for (const name of ["second", "third"]) {
        await stage.apply(name, { annotations: unscheduled, runsForSeconds: 0.5 });
        await stage.waits(name);
      }
      await stage.apply("fourth", { runsForSeconds: 0.5 });
      await stage.waits("fourth");
      const second = await stage.pod("second", "to be looked at", () => true);
      expect({ node: second.node, gated: second.gated }).toEqual({ node: undefined, gated: true });
      await stage.endMain(first.name);
      await waitForEnded(stage, 4);
      expect((await stage.journal.runs()).map(({ by }) => by)).toEqual([
        "first",
        "second",
        "third",
        "fourth",
      ]);
      await expectTurns(environment, stage, 4);
      await stage.atRest();
    },
  },
  {
    name: "gate: scheduling: a pod with another scheduling gate asks only once that gate is gone",
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setStage(environment, "held-back", { ttl: "1m" });
      const spec = { schedulingGates: [{ name: "konductor.test/quota" }] };
      await stage.apply("held-back", { annotations: unscheduled, runsForSeconds: 0.5, spec });
      await stage.pod(
        "held-back",
        "to be gated twice",
        ({ gated, hasOtherGates }) => gated && hasOtherGates === true,
      );
      await stage.apply("next", { runsForSeconds: 0.5 });
      await stage.runs("next", 1);
      await stage.atRest();
      const isOther = [{ op: "test", path: "/spec/schedulingGates/0/name", value: "konductor.test/quota" }];
      const patch = JSON.stringify([...isOther, { op: "remove", path: "/spec/schedulingGates/0" }]);
      await kubectl("-n", stage.namespace, "patch", "pod", "held-back", "--type=json", "-p", patch);
      await waitForEnded(stage, 2);
      const { status } = await stage.atRest();
      await expectTurns(environment, stage, 2);
      expect(status.history.toReversed().map(({ holder }) => holder)).toEqual(["next", "held-back"]);
    },
  },
  {
    name: "gate: scheduling: a grant waits for a pod that needs longer than 10 s to find its node",
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setStage(environment, "late", { ttl: "15s" });
      const spec = { nodeSelector: { [REQUIRED_LABEL]: "true" } };
      await stage.apply("late", { annotations: unscheduled, runsForSeconds: 0.5, spec });
      const { status } = await stage.lease(
        "the pod to be granted",
        ({ status }) => status.hold?.holder === "late",
      );
      const token = status.hold?.token;
      const expiresMs = status.hold?.expiresMs ?? 0;
      // The server renews for the pod three times: longer than any gate may take to answer.
      await stage.lease(
        "the server to have renewed",
        ({ status: { hold } }) => hold?.token === token && (hold?.expiresMs ?? 0) > expiresMs + 14_000,
      );
      const node = await nodeName(environment);
      await kubectl("label", "node", node, `${REQUIRED_LABEL}=true`);
      try {
        const { token: confirmed } = await stage.holds("late");
        expect(confirmed).toBe(token);
        await stage.pod("late", "to end", isTerminal);
        const free = await stage.atRest();
        expect(free.status.history).toMatchObject([{ token }]);
      } finally {
        await kubectl("label", "node", node, `${REQUIRED_LABEL}-`);
      }
    },
  },
  {
    name: "gate: scheduling: after start-timeout the next pod is granted, though the first has found no node",
    row: "main never starts",
    async run(environment) {
      const stage = await setStage(environment, "nowhere", { ttl: "1m" });
      const annotations = { ...unscheduled, [ANNOTATION.startTimeout]: "4s" };
      const spec = { nodeSelector: { [`${REQUIRED_LABEL}-never`]: "true" } };
      await stage.apply("nowhere", { annotations, spec });
      await stage.lease("the pod to be granted", ({ status }) => status.hold?.holder === "nowhere");
      await stage.apply("next", { runsForSeconds: 0.5 });
      await stage.pod("next", "to end", isTerminal);
      const { status } = await stage.lease("the klease to be free", ({ status }) => !status.hold);
      expect(status.history.map(({ holder }) => holder)).toEqual(["next", "nowhere"]);
      expect(status.history.at(-1)).toMatchObject({ reason: "NotConfirmed" });
    },
  },
  {
    name: "gate: scheduling: a pod that is deleted while it waits is never granted",
    async run(environment) {
      const { client, kubectl } = environment;
      const stage = await setStage(environment, "withdrawn", { ttl: "1m" });
      const { namespace } = stage;
      const first = await stage.apply("first");
      await stage.runs("first", 1);
      await stage.apply("gone", { annotations: unscheduled });
      await stage.waits("gone");
      await kubectl("-n", namespace, "delete", "pod", "gone");
      await waitFor({
        what: "its request to be gone",
        withinMs: 30_000,
        holds: async () =>
          (await client.list(LEASE_REQUESTS, { namespace }, parseLeaseRequest)).items.every(
            ({ spec }) => spec.holder !== "gone",
          ),
      });
      await stage.endMain(first.name);
      await stage.atRest();
      expect(await readRequests(environment, namespace)).toEqual([]);
      expect((await stage.journal.runs()).map(({ by }) => by)).toEqual(["first"]);
    },
  },
];
