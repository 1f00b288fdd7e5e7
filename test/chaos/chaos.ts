/** A whole run: workloads take turns while the plan's faults happen, everything comes to rest, and the evidence is judged. */
import { systemClock } from "../../src/shared/clock.ts";
import { describeError } from "../../src/shared/errors.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Environment } from "../e2e/environment.ts";
import { createCalm } from "./calm.ts";
import { checkHistory, type Verdict } from "./check.ts";
import { gatherHistory } from "./gather.ts";
import type { History } from "./history.ts";
import { runLanes } from "./lanes.ts";
import type { Plan } from "./plan.ts";
import { createRecorder } from "./recorder.ts";
import { raiseStorm, type Storm } from "./storm.ts";
import { createStrikes } from "./strikes.ts";
import { createWatch } from "./watch.ts";
import { LEASE_PLANS, leaseObjects } from "./workloads.ts";

export interface ChaosOptions {
  environment: Environment;
  plan: Plan;
  guard: boolean;
  /** Called with one line for each thing that happens. */
  tell(line: string): void;
}

export interface Outcome {
  history: History;
  verdict: Verdict;
  storm: Storm;
}

/** The Job controller may wait for minutes until it looks again, and so may the kubelet before it restarts a container that was killed often. */
const ENDED_WITHIN_MS = 480_000;
const FIRST_MAINS_WITHIN_MS = 120_000;
const FREE_WITHIN_MS = 120_000;

/** Rejects if the run cannot be judged, or if `signal` aborts. */
export async function runChaos(
  { environment, plan, guard, tell }: ChaosOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const { kubectl } = environment;
  const clock = systemClock();
  const namespace = await environment.createNamespace();
  for (const object of leaseObjects(namespace)) await kubectl.withObject(object, "apply");

  const watch = createWatch(environment, namespace);
  const recorder = createRecorder(watch);
  const watching = new AbortController();
  const working = new AbortController();
  const ends = AbortSignal.any([signal, watching.signal]);
  await watch.start(ends);

  /** Two mains at once end the run, while the evidence is fresh. The other rules are only judged when the watch has caught up. */
  async function isSafe(): Promise<boolean> {
    const history = await gatherHistory(environment, recorder, { faults: [], leftovers: [] });
    return checkHistory(history).violations.every(({ rule }) => rule !== "overlap" && rule !== "early grant");
  }

  /** Waits for the first mains, so that faults meet holders from the beginning. */
  const everybodyWorks = () =>
    waitFor({
      what: "the first mains to run",
      withinMs: FIRST_MAINS_WITHIN_MS,
      abort: () => signal.throwIfAborted(),
      async holds() {
        const runs = await Promise.all(LEASE_PLANS.map(({ name }) => environment.journal(name).runs()));
        return runs.every(({ length }) => length > 0);
      },
    });

  async function comeToRest(): Promise<History["leftovers"]> {
    tell("waiting for every Job to end");
    await waitFor({
      what: "every Job to end",
      withinMs: ENDED_WITHIN_MS,
      everyMs: 500,
      abort: () => signal.throwIfAborted(),
      holds: async () => recorder.jobs().every(({ result }) => result),
    }).catch(hideUnlessAborted);
    const held = () =>
      watch.leases.store
        .list()
        .flatMap(({ name: lease, status: { hold } }) => (hold ? [{ lease, holder: hold.holder }] : []));
    await waitFor({
      what: "every klease to be free",
      withinMs: FREE_WITHIN_MS,
      abort: () => signal.throwIfAborted(),
      holds: async () => held().length === 0,
    }).catch(hideUnlessAborted);
    await watch.catchUp();
    return held();
  }

  /** The checker reports what did not come to rest. */
  function hideUnlessAborted(error: unknown): void {
    signal.throwIfAborted();
    tell(describeError(error));
  }

  const lanes = runLanes(
    plan.lanes,
    { environment, namespace, guard, recorder, clock, ends },
    AbortSignal.any([ends, working.signal]),
  );
  // The promise is awaited at the end; until then its rejection must not count as unhandled.
  lanes.catch(() => undefined);
  try {
    await everybodyWorks();
    const storm = await raiseStorm(
      {
        rounds: plan.rounds,
        lastsMs: plan.seconds * 1_000,
        strikes: await createStrikes(environment, watch),
        calm: createCalm(environment, namespace, watch),
        goesOn: isSafe,
        tell,
        clock,
      },
      signal,
    );
    signal.throwIfAborted();
    working.abort();
    await lanes;
    const leftovers = await comeToRest();
    const history = await gatherHistory(environment, recorder, { faults: storm.faults, leftovers });
    return { history, verdict: checkHistory(history), storm };
  } finally {
    working.abort();
    watching.abort();
  }
}
