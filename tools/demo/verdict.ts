import { formatTable } from "../../src/cli/table.ts";
import { overlaps, type Run } from "../../test/e2e/journal.ts";
import { formatSeconds, formatTime } from "./timeline.ts";

/** One run of an exercise's main container, as recorded by itself. */
export interface DemoRun extends Run {
  exercise: string;
  lease: string;
  waitedMs: number | undefined;
}

export interface Verdict {
  ok: boolean;
  sentences: string[];
}

/** Lists each run in order: how long it waited, and when it ran. */
export function formatRuns(runs: readonly DemoRun[]): string {
  const rows = runs
    .toSorted((a, b) => a.lease.localeCompare(b.lease) || a.fromMs - b.fromMs)
    .map(({ lease, by, waitedMs, fromMs, toMs, ended }) => [
      lease,
      by,
      waitedMs === undefined ? "-" : formatSeconds(waitedMs),
      formatTime(fromMs),
      ended ? formatTime(toMs) : "?",
    ]);
  return formatTable(["KLEASE", "POD", "WAITED", "RAN FROM", "TO"], rows);
}

/**
 * Judges whether no two of `runs`, which should take turns by klease `lease`, overlapped. Fewer than two runs, or a run without a recorded end, prove
 * nothing and do not pass.
 */
export function judge(lease: string, runs: readonly DemoRun[]): Verdict {
  const sentences = [
    ...runs
      .filter(({ ended }) => !ended)
      .map(({ by }) => `UNKNOWN: ${by} did not say when it started and ended`),
    ...overlaps(runs.filter(({ ended }) => ended)).map(([a, b]) => {
      const togetherMs = Math.min(a.toMs, b.toMs) - Math.max(a.fromMs, b.fromMs);
      return `OVERLAP: ${a.by} and ${b.by} ran together for ${formatSeconds(togetherMs)}`;
    }),
    ...(runs.length < 2 ? [`UNKNOWN: klease ${lease} saw ${runs.length} run(s), which shows nothing`] : []),
  ];
  if (sentences.length > 0) return { ok: false, sentences };
  return { ok: true, sentences: [`no two runs of klease ${lease} overlapped: ${runs.length} runs`] };
}
