import { writeFile } from "node:fs/promises";
import { expect } from "vitest";
import { ANNOTATION } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Scenario } from "../environment.ts";
import { overlaps } from "../journal.ts";
import { readRequests, waitForJobs, waitForLease } from "../observe.ts";
import { waitForQueue } from "../turns.ts";
import { job } from "../workload.ts";

export const turnTaking: readonly Scenario[] = [
  {
    name: "four labelled Jobs at once run one after another, the highest priority first",
    isSmoke: true,
    async run(environment) {
      const { kubectl } = environment;
      const namespace = await environment.createNamespace();
      const journal = environment.journal(`${namespace}-nightly`);
      // The first Job holds the klease until the other three are in the queue.
      const queued = `${journal.path}.queued`;
      const first = job({ namespace, name: "first", lease: "nightly", journal, runsUntil: queued });
      await kubectl.withObject(first, "apply");
      await waitForLease(
        environment,
        { namespace, name: "nightly", what: "the first Job to hold" },
        (lease) => Boolean(lease.status.hold?.confirmed),
      );
      for (const [name, priority] of [
        ["low", 1],
        ["high", 9],
        ["middle", 5],
      ] as const) {
        const annotations = { [ANNOTATION.priority]: String(priority) };
        await kubectl.withObject(
          job({ namespace, name, lease: "nightly", annotations, journal, runsForSeconds: 1 }),
          "apply",
        );
      }
      await waitForQueue(environment, { namespace }, 3);
      await writeFile(queued, "");
      expect(await waitForJobs(environment, namespace)).toEqual({ failed: [] });

      const runs = await journal.runs();
      expect(overlaps(runs)).toEqual([]);
      expect(runs.map(({ by }) => by.replace(/-[a-z0-9]+$/, ""))).toEqual(["first", "high", "middle", "low"]);
      const lease = await waitForLease(
        environment,
        { namespace, name: "nightly", what: "the klease to be free" },
        (lease) => !lease.status.hold,
      );
      const phase = "--output=jsonpath={.status.phase}";
      expect(await kubectl("-n", namespace, "get", "klease", "nightly", phase)).toBe("Available");
      expect(lease.status.history.map(({ token }) => token)).toEqual(
        lease.status.history.map(({ token }) => token).toSorted((a, b) => b - a),
      );
      await waitFor({
        what: "the requests to be gone",
        withinMs: 10_000,
        holds: async () => (await readRequests(environment, namespace)).length === 0,
      });
    },
  },
];
