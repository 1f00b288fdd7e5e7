/** docs/reference.md has every metric there is, with its type, and no other. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fedReflector } from "../controller/fed-reflector.ts";
import { countedMetrics } from "./scraped.ts";

const ROOT = join(import.meta.dirname, "../../..");

test("the tables of metrics are true", async () => {
  const metrics = countedMetrics();
  const nothing = { lastEventMonotonicMs: undefined };
  metrics.observe({
    caches: {
      leases: fedReflector(),
      requests: fedReflector(),
      pods: nothing,
      jobs: nothing,
      nodes: nothing,
    },
    ...{ isLeader: () => false, openStreams: () => 0, certificateNotAfterMs: () => 0 },
    leases: [{ namespace: "ns", name: "nightly" }],
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
  });
  const types = (await metrics.page.text()).matchAll(/^# TYPE (\S+) (\S+)$/gm);
  const reference = await readFile(join(ROOT, "docs/reference.md"), "utf8");
  const rows = reference.matchAll(/^\| `(konductor_\w+)` \| (\w+) \|/gm);
  const [served, documented] = [types, rows].map((found) =>
    [...found].map(([, name, type]) => `${name} ${type}`).toSorted(),
  );
  expect(documented).toEqual(served);
});
