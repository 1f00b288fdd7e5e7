import type { Registry } from "prom-client";
import type { MetricsPage } from "../server/health.ts";
import type { Clock } from "../shared/clock.ts";

/** However many ask, the page is made once in this time. */
const KEPT_MS = 1_000;

/** The page of `registry`, made at most once a second. */
export function createMetricsPage(registry: Registry, clock: Pick<Clock, "monotonicMs">): MetricsPage {
  let made: { atMs: number; text: Promise<string> } | undefined;
  return {
    contentType: registry.contentType,
    text() {
      const nowMs = clock.monotonicMs();
      if (!made || nowMs - made.atMs >= KEPT_MS) made = { atMs: nowMs, text: registry.metrics() };
      return made.text;
    },
  };
}
