import { formatFields } from "../../src/cli/table.ts";
import type { Outcome } from "./chaos.ts";
import { STARVED_MS } from "./gather.ts";
import type { Idleness } from "./idleness.ts";
import { inSeconds, type Plan } from "./plan.ts";

/** Per rule. */
const SHOWN_VIOLATIONS = 5;

const STARVED =
  "The machine was so short of CPU that a main stood still for seconds: that is not covered, so this run proves nothing. Run it again alone.\n";

/** What a run prints at its end. */
export function formatReport({ seed, seconds }: Plan, { history, verdict, storm }: Outcome): string {
  const { violations, holds, mains, completedJobs, failedJobs, losses, idleness } = verdict;
  const ends = countBy(holds.flatMap(({ reason }) => reason ?? [])).map(
    ([reason, count]) => `${count} ${reason}`,
  );
  const fields = formatFields([
    ["seed", String(seed)],
    ["seconds", String(seconds)],
    ["faults injected", `${storm.faults.length}; ${storm.missed.length} more found nothing to strike`],
    ["holds checked", holds.length > 0 ? `${holds.length} (${ends.join(", ")})` : "0"],
    ["runs of a main", String(mains)],
    ["Jobs", `${completedJobs} completed, ${failedJobs} failed by a fault`],
    ["holders that were stopped", `${losses}, since they could not renew`],
    ["violations", String(violations.length)],
    ["longest without a holder", idleness ? formatIdleness(idleness) : "none"],
    ["longest silence of a live main", inSeconds(history.starvedMs)],
  ]);
  const faults = countBy(storm.faults.map(({ kind }) => kind)).map(
    ([kind, count]) => `${String(count).padStart(4)}  ${kind}\n`,
  );
  const rules = countBy(violations.map(({ rule }) => rule));
  const sentences = rules.flatMap(([rule, count]) => {
    const shown = violations.filter((each) => each.rule === rule).slice(0, SHOWN_VIOLATIONS);
    const lines = shown.map(({ lease, sentence }) => `VIOLATION (${rule}) klease ${lease}: ${sentence}\n`);
    return count > shown.length ? [...lines, `  and ${count - shown.length} more of ${rule}\n`] : lines;
  });
  return `${faults.join("")}\n${fields}${sentences.join("")}${violations.length > 0 && history.starvedMs > STARVED_MS ? STARVED : ""}`;
}

function formatIdleness({ ms, waiter, lease, during }: Idleness): string {
  const faults = during.length > 0 ? `, during ${during.join(", ")}` : "";
  return `${inSeconds(ms)}, while ${waiter} waited for klease ${lease}${faults}`;
}

function countBy<T extends string>(items: readonly T[]): [T, number][] {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
