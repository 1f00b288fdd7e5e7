/** What the owner of a klease rules: nobody is granted it for a while, although somebody waits. */
import { expect } from "vitest";
import { JOBS, LEASES } from "../../../src/kube/resources.ts";
import { ANNOTATION, EXIT, GATE_CONTAINER } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import { type Outcome, koncli as runKoncli } from "../../integration/koncli.ts";
import type { Environment, Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { overlaps } from "../journal.ts";
import { describedEvent, readRequests, waitForJobs } from "../observe.ts";
import { type Stage, setStage } from "../stage.ts";
import { waitForEnded } from "../turns.ts";
import { job } from "../workload.ts";

const INTERVAL_MS = 20_000;
/** Two replicas' views of the API server's time. */
const CLOCKS_DIFFER_MS = 1_000;

const koncli = ({ cluster }: Environment, { namespace }: Stage, ...args: string[]): Promise<Outcome> =>
  runKoncli(["--kubeconfig", cluster.kubeconfigPath, "-n", namespace, "lease", ...args]);

/** Resolves when the gate of the pod has logged a matching line. */
async function gateSays({ kubectl }: Environment, { namespace }: Stage, pod: string, line: RegExp) {
  await waitFor({
    what: `the gate of ${pod} to say ${line}`,
    withinMs: 30_000,
    holds: async () => line.test(await kubectl("-n", namespace, "logs", pod, "-c", GATE_CONTAINER)),
  });
}

export const ownerRules: readonly Scenario[] = [
  {
    name: "a paused klease: its holder goes on, nobody new runs, who waits is told why and by whom and keeps its place, and runs when it is resumed",
    timeoutMs: 240_000,
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setStage(environment, "guarded", { ttl: "15s" });
      const { namespace, journal } = stage;
      await stage.apply("holder");
      const { token } = await stage.holds("holder");
      await stage.apply("second", { runsForSeconds: 1 });
      await stage.waits("second");
      await stage.apply("third", { runsForSeconds: 1 });
      await stage.waits("third");
      const paused = await koncli(environment, stage, "pause", "guarded", "--reason", "new disks");
      expect(paused.out).toBe(
        "klease guarded is paused: nobody new is granted it, and holder goes on holding it\n",
      );
      await kubectl("-n", namespace, "wait", "--for=condition=Paused", "--timeout=30s", "klease/guarded");
      const since = /paused by \S+ since [-0-9T:]+Z \("new disks"\)/.source;
      await gateSays(environment, stage, "second", new RegExp(`held by holder since .*${since}`));
      const renewed = await stage.lease("a renewal", ({ status: { hold } }) => (hold?.renewals ?? 0) > 3);
      expect(renewed.status.hold?.token).toBe(token);

      await stage.endMain("holder");
      await kubectl("-n", namespace, "wait", "--for=condition=Held=false", "--timeout=60s", "klease/guarded");
      await gateSays(environment, stage, "second", new RegExp(`position 1 of 2, ${since}`));
      expect((await koncli(environment, stage, "why", "second")).out).toMatch(
        new RegExp(
          `as the next of 2 in the queue\\. Nobody holds it\\. It is ${since}; to end that: koncli lease resume guarded`,
        ),
      );
      const skipped = job({
        ...{ namespace, name: "skipped", lease: "guarded", journal },
        annotations: { [ANNOTATION.ifHeld]: "skip" },
      });
      await environment.client.create(JOBS, skipped);
      expect(await waitForJobs(environment, namespace)).toEqual({ failed: [] });
      expect(
        await describedEvent(environment, { namespace, what: "job/skipped", reason: "Skipped" }),
      ).toMatch(new RegExp(`without having run: klease guarded is ${since}`));
      const refused = await koncli(environment, stage, "acquire", "guarded", "--holder", "me");
      expect([refused.code, refused.err]).toEqual([
        1,
        expect.stringMatching(new RegExp(`guarded is ${since}`)),
      ]);
      expect((await journal.runs()).map(({ by }) => by)).toEqual(["holder"]);

      await koncli(environment, stage, "resume", "guarded");
      await waitForEnded(stage, 3);
      const runs = await journal.runs();
      expect([runs.map(({ by }) => by), overlaps(runs)]).toEqual([["holder", "second", "third"], []]);
      for (const reason of ["Paused", "Resumed"])
        await describedEvent(environment, { namespace, what: "klease/guarded", reason });
      await kubectl(
        "-n",
        namespace,
        "wait",
        "--for=condition=Paused=false",
        "--timeout=30s",
        "klease/guarded",
      );
      await stage.atRest();
    },
  },
  {
    name: "minInterval: the next main runs no sooner after the end of the last hold, meanwhile a Job with if-held: skip is skipped",
    timeoutMs: 240_000,
    async run(environment) {
      const stage = await setStage(environment, "spaced", { ttl: "1m", minInterval: `${INTERVAL_MS}ms` });
      const { namespace, journal } = stage;
      await stage.apply("first", { runsForSeconds: 1 });
      // Which of two gates asks first is not known.
      await stage.runs("first", 1);
      await stage.apply("second", { runsForSeconds: 1 });
      const { status } = await stage.lease(
        "the first hold to end",
        ({ status }) => status.history.length === 1,
      );
      const [past] = status.history;
      expect(status.lastEndedMs).toBe(past?.endedMs);
      await gateSays(
        environment,
        stage,
        "second",
        /position 1 of 1, resting until [-0-9T:]+Z, for its minInterval of 20s/,
      );
      await environment.client.create(
        JOBS,
        job({
          ...{ namespace, name: "hasty", lease: "spaced", journal },
          annotations: { [ANNOTATION.ifHeld]: "skip" },
        }),
      );
      expect(await describedEvent(environment, { namespace, what: "job/hasty", reason: "Skipped" })).toMatch(
        /without having run: klease spaced is resting until /,
      );
      const next = await stage.holds("second");
      expectWithin(environment, {
        what: "minInterval of 20s: from the end of a hold to the next grant",
        measuredMs: next.acquiredMs - (past?.endedMs ?? 0),
        boundMs: INTERVAL_MS + 5_000,
      });
      expect(next.acquiredMs - (past?.endedMs ?? 0)).toBeGreaterThan(INTERVAL_MS - CLOCKS_DIFFER_MS);
      await waitForEnded(stage, 2);
      const [a, b] = (await journal.runs()).toSorted((x, y) => x.fromMs - y.fromMs);
      expect((b?.fromMs ?? 0) - (a?.toMs ?? 0)).toBeGreaterThan(INTERVAL_MS - CLOCKS_DIFFER_MS);
      await stage.atRest();
    },
  },
  {
    name: "maxWaiting: a pod and a client beyond it are refused with the reason, and a lower number sends nobody away who waits",
    timeoutMs: 240_000,
    async run(environment) {
      const { client } = environment;
      const stage = await setStage(environment, "short", { ttl: "1m", maxWaiting: 1 });
      const { namespace } = stage;
      await stage.apply("first");
      await stage.holds("first");
      await stage.apply("second", { runsForSeconds: 1 });
      await waitFor({
        what: "the second pod to be let wait",
        withinMs: 30_000,
        holds: async () =>
          (await readRequests(environment, namespace)).some(
            ({ spec, status }) => spec.holder === "second" && status.mayWait,
          ),
      });
      await stage.apply("third", { annotations: { [ANNOTATION.priority]: "9" } });
      const third = await stage.pod("third", "its gate to fail", ({ gate }) => gate?.exitCode !== undefined);
      expect([third.gate?.exitCode, third.gate?.message]).toEqual([
        EXIT.refused,
        expect.stringMatching(
          /^klease short was not granted: as many wait already as its maxWaiting of 1 lets wait; held by first since/,
        ),
      ]);
      expect(
        await describedEvent(environment, { namespace, what: "pod/third", reason: "QueueFull" }),
      ).toMatch(
        /Warning .*was not let wait for klease short: as many wait already as its maxWaiting of 1 lets wait/,
      );
      const refused = await koncli(environment, stage, "acquire", "short", "--holder", "me", "--wait");
      expect([refused.code, refused.err]).toEqual([
        1,
        expect.stringMatching(
          /klease short cannot be waited for: as many wait already as its maxWaiting of 1/,
        ),
      ]);
      const none = { spec: { maxWaiting: 0 } };
      await client.patch(LEASES, { namespace, name: "short" }, none, { type: "merge" });
      await stage.lease(
        "the change to be seen",
        (lease) => lease.status.observedGeneration === lease.generation,
      );
      await stage.endMain("first");
      await stage.runs("second", 1);
      await waitForEnded(stage, 2);
      expect(overlaps(await stage.journal.runs())).toEqual([]);
    },
  },
];
