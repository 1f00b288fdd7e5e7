import { createMetrics, type Metrics } from "../../../src/metrics/metrics.ts";

/** Metrics of which each look is a scrape of its own. */
export function countedMetrics(): Metrics {
  let nowMs = 0;
  const clock = { monotonicMs: () => (nowMs += 1_000) };
  return createMetrics({ version: "1.2.3", memoryBytes: 512 << 20, clock });
}

const SAMPLE = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/;

/** Every sample of a page by its name and labels, `name{a="b"}`. Throws at a line that is none. */
export function samplesOf(page: string): Record<string, number> {
  const lines = page.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => {
      const [, name = "", labels, value] = SAMPLE.exec(line) ?? [];
      if (value === undefined) throw new Error(`no sample: ${line}`);
      return [labels ? `${name}{${labels}}` : name, Number(value)];
    }),
  );
}

/**
 * The samples of konductor's own metrics that are not 0, in tenths, without the buckets of histograms, and without what never changes: the
 * arbiter takes some milliseconds for a look.
 */
export async function counted({ page }: Metrics): Promise<Record<string, number>> {
  const isCount = (name: string) => !/_bucket\{|_build_info|_memory_limit_bytes/.test(name);
  const entries = Object.entries(samplesOf(await page.text()));
  const own = entries.filter(([name, value]) => isCount(name) && value !== 0);
  return Object.fromEntries(
    own.map(([name, value]) => [name.replace("konductor_", ""), Number(value.toFixed(1))]),
  );
}
