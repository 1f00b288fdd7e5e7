import { grantsOf } from "./grants.ts";
import type { History } from "./history.ts";
import { union, without } from "./spans.ts";

/** A time in which nobody held a klease although somebody waited for it. */
export interface Idleness {
  lease: string;
  ms: number;
  fromMs: number;
  /** Kinds of faults that overlapped the time. */
  during: readonly string[];
  /** The claimant whose grant ended the time, or who waited longest if no grant did. */
  waiter: string;
}

/**
 * The longest idleness. A holder counts from its grant to the last sign of life of its main: a dead holder that still stands in the klease's status
 * only holds up the next.
 */
export function longestIdleness({ waits, sightings, runs, faults }: History): Idleness | undefined {
  const leases = [...new Set(waits.map(({ lease }) => lease))];
  const all = leases.flatMap((lease) => {
    const grants = grantsOf(sightings.filter((each) => each.lease === lease));
    const held = grants.map(({ token, acquiredMs, endedMs = acquiredMs }) => {
      const lives = runs.filter((run) => run.lease === lease && run.token === token).map(({ toMs }) => toMs);
      return { fromMs: acquiredMs, toMs: lives.length > 0 ? Math.max(...lives) : endedMs };
    });
    const waiting = waits.filter((each) => each.lease === lease);
    return without(union(waiting), union(held)).map(({ fromMs, toMs }): Idleness => {
      const next = grants.find(({ acquiredMs }) => acquiredMs >= toMs)?.holder;
      const first = waiting
        .filter((wait) => wait.fromMs < toMs && wait.toMs > fromMs)
        .toSorted((a, b) => a.fromMs - b.fromMs)[0]?.holder;
      const during = faults
        .filter((fault) => fault.fromMs < toMs && fault.toMs > fromMs)
        .map(({ kind }) => kind);
      return { lease, ms: toMs - fromMs, fromMs, waiter: next ?? first ?? "", during: [...new Set(during)] };
    });
  });
  return all.toSorted((a, b) => b.ms - a.ms)[0];
}
