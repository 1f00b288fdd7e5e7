import type { Environment } from "../e2e/environment.ts";
import type { Entry } from "../e2e/journal.ts";
import { NO_REPLICA, SHORT_OF_CPU } from "./fences.ts";
import type { History } from "./history.ts";
import type { Recorder } from "./recorder.ts";
import { timesWithoutReplica } from "./replica-times.ts";
import { LEASE_PLANS } from "./workloads.ts";

/**
 * Row "a node so short of CPU that the keeper does not run for seconds" of "Not covered" in docs/guarantees.md: a main that is silent for longer
 * shows such a shortage, which counts as a fault that nobody caused.
 */
export const STARVED_MS = 1_000;

/** What both witnesses, the mains' journals and the watch, know by now. */
export async function gatherHistory(
  { journal }: Pick<Environment, "journal">,
  { sightings, waits, fences, readyTimes, jobs }: Recorder,
  { faults, leftovers }: Pick<History, "faults" | "leftovers">,
): Promise<History> {
  const read = LEASE_PLANS.map(async ({ name: lease }) => ({
    runs: (await journal(lease).runs()).map((run) => ({ ...run, lease })),
    silences: silencesOf(await journal(lease).entries()),
  }));
  const journals = await Promise.all(read);
  const silences = journals.flatMap((each) => each.silences);
  const starved = silences.filter(({ fromMs, toMs }) => toMs - fromMs > STARVED_MS);
  return {
    sightings: sightings(),
    waits: waits(),
    fences: fences(),
    jobs: jobs(),
    runs: journals.flatMap(({ runs }) => runs),
    starvedMs: Math.max(0, ...silences.map(({ fromMs, toMs }) => toMs - fromMs)),
    faults: [
      ...faults,
      ...starved.map((silence) => ({ kind: SHORT_OF_CPU, ...silence })),
      ...timesWithoutReplica(readyTimes(), faults).map((time) => ({ kind: NO_REPLICA, ...time })),
    ],
    leftovers,
  };
}

/** The longest time between two signs of life of each main. */
function silencesOf(entries: readonly Entry[]): { fromMs: number; toMs: number }[] {
  const silences = new Map<string, { fromMs: number; toMs: number }>();
  const last = new Map<string, number>();
  for (const { atMs, event, by, token } of entries) {
    const key = `${by} ${token}`;
    // A killed main is not silent, but dead.
    const fromMs = event === "start" ? atMs : (last.get(key) ?? atMs);
    const longest = silences.get(key);
    if (!longest || atMs - fromMs > longest.toMs - longest.fromMs) silences.set(key, { fromMs, toMs: atMs });
    last.set(key, atMs);
  }
  return [...silences.values()];
}
