import { grantsOf } from "./grants.ts";
import type { History } from "./history.ts";

/** A time in which nobody held a klease although somebody waited for it. */
export interface Idleness {
  lease: string;
  ms: number;
  fromMs: number;
  /** Kinds of faults that were there meanwhile. */
  during: readonly string[];
  /** Whose grant ended it, or who waited longest if none did. */
  waiter: string;
}

interface Span {
  fromMs: number;
  toMs: number;
}

/**
 * The longest one. A holder counts from its grant to the last sign of life of its main: one that is dead and still stands in the
 * klease's status holds nothing up but the next.
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

function union(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const { fromMs, toMs } of spans.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = joined.at(-1);
    if (last && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs);
    else joined.push({ fromMs, toMs });
  }
  return joined;
}

/** What of `spans` lies outside of `others`, both being unions. */
function without(spans: readonly Span[], others: readonly Span[]): Span[] {
  return spans.flatMap(({ fromMs, toMs }) => {
    const left: Span[] = [];
    let startMs = fromMs;
    for (const other of others.filter((each) => each.fromMs < toMs && each.toMs > fromMs)) {
      if (other.fromMs > startMs) left.push({ fromMs: startMs, toMs: other.fromMs });
      startMs = Math.max(startMs, other.toMs);
    }
    if (startMs < toMs) left.push({ fromMs: startMs, toMs });
    return left;
  });
}
