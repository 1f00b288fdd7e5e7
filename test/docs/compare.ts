/**
 * Compares what a command wrote with what a page shows. A page shows a real output, in which these may differ, because they do from run to run:
 * - points in time (`2026-01-01T02:00:11Z`, `02:00:11`), durations and ages (`14s`, `1h30m`), fencing tokens (numbers of 13 digits and more)
 * - the last letters of the names of pods (`report-x7k2p`, `konductor-89467b466-m8n7p`)
 * - blanks and line breaks, since columns and paragraphs depend on the rest
 * A line `…` stands for any text.
 */

const VARYING: readonly (readonly [RegExp, string])[] = [
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "TIME"],
  [/\b\d\d:\d\d:\d\d(\.\d+)?\b/g, "TIME"],
  [/\b\d{13,}\b/g, "TOKEN"],
  // The letters that Kubernetes draws from.
  [/-([bcdf-hj-np-tv-z2456789]{8,10}-)?[bcdf-hj-np-tv-z2456789]{5}\b/g, "-RANDOM"],
  [/\b(\d+(\.\d+)?(ms|s|m|h|d))+\b/g, "DURATION"],
  [/\s+/g, " "],
];

/** `text` with a fixed word for everything that varies. */
export function steady(text: string): string {
  return VARYING.reduce((before, [pattern, word]) => before.replaceAll(pattern, word), text).trim();
}

/** Whether `written` is what the page shows as `shown`. */
export function matches(written: string, shown: string): boolean {
  const escaped = shown.split(/^…$/m).map((part) => steady(part).replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${escaped.join(".*")}$`, "s").test(steady(written));
}
