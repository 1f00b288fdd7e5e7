/** Histories of runs without faults. */
import fc from "fast-check";
import { checkHistory, type Rule } from "../../chaos/check.ts";
import type { History } from "../../chaos/history.ts";

export const LEASE = "report";
export const TTL_MS = 15_000;
const FIRST_TOKEN = 1_000;

/** What one pod of a Job does, in milliseconds. */
export interface Turn {
  /** From the end of the previous hold to the grant, and from there to main's start. */
  gapMs: number;
  startsAfterMs: number;
  /** The runs of main, which is restarted in place if there are several. */
  mains: readonly number[];
  /** From the end of main to the end of its hold. */
  releasedAfterMs: number;
}

export const TURN: Turn = { gapMs: 100, startsAfterMs: 500, mains: [2_000], releasedAfterMs: 300 };

/** Consecutive turns on one klease, for which every pod has waited from the beginning. */
export function historyOf(turns: readonly Turn[], lease = LEASE): History {
  const history = {
    sightings: [],
    waits: [],
    fences: [],
    runs: [],
    jobs: [],
    faults: [],
    leftovers: [],
    starvedMs: 0,
  };
  const { sightings, waits, runs, jobs }: Writable = history;
  let nowMs = 0;
  for (const [index, { gapMs, startsAfterMs, mains, releasedAfterMs }] of turns.entries()) {
    const name = `job-${index}`;
    const holder = `${name}-abcde`;
    const token = FIRST_TOKEN + index;
    nowMs += gapMs;
    const acquiredMs = nowMs;
    waits.push({ lease, holder, fromMs: 0, toMs: acquiredMs });
    nowMs += startsAfterMs;
    for (const [run, lastsMs] of mains.entries()) {
      const ended = run === mains.length - 1;
      runs.push({ lease, by: holder, token, fromMs: nowMs, toMs: nowMs + lastsMs, ended });
      nowMs += lastsMs + (ended ? 0 : 1_000);
    }
    nowMs += releasedAfterMs;
    sightings.push({ lease, token, holder, acquiredMs, ttlMs: TTL_MS });
    sightings.push({ lease, token, holder, acquiredMs, ttlMs: TTL_MS, endedMs: nowMs, reason: "Released" });
    jobs.push({ name, lease, completions: 1, createdMs: 0, endedMs: nowMs, result: "Complete" });
  }
  return history;
}

type Writable = { [Part in "sightings" | "waits" | "runs" | "jobs"]: History[Part][number][] };

const ms = (min: number, max: number) => fc.integer({ min, max });

/** At least two turns. */
export const turns: fc.Arbitrary<Turn[]> = fc.array(
  fc.record({
    gapMs: ms(0, 20_000),
    startsAfterMs: ms(0, 2_000),
    mains: fc.array(ms(100, 30_000), { minLength: 1, maxLength: 3 }),
    releasedAfterMs: ms(0, 2_000),
  }),
  { minLength: 2, maxLength: 12 },
);

/** The rules that a history breaks, each once. */
export function broken(history: History): Rule[] {
  return [...new Set(checkHistory(history).violations.map(({ rule }) => rule))];
}

/** `history` with each of `part` changed. */
export function change<Part extends "runs" | "sightings" | "jobs">(
  history: History,
  part: Part,
  changed: (item: History[Part][number], index: number) => History[Part][number] | undefined,
): History {
  const items: readonly History[Part][number][] = history[part];
  return { ...history, [part]: items.flatMap((item, index) => changed(item, index) ?? []) };
}
