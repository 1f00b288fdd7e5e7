/** Two replicas of konductor, before a real API server, are scraped by a real Prometheus while pods take turns. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { binarySources, findBinaries } from "../../cluster/binaries/find.ts";
import { streamLog } from "../../cluster/log.ts";
import { waitFor } from "../../cluster/wait.ts";
import { type ProcessEnvironment, startProcessEnvironment } from "../../e2e/process-environment.ts";
import { type Stage, setStage } from "../../e2e/stage.ts";
import { ROOT, readQueries, readRules } from "./manifests.ts";
import { type Prometheus, startPrometheus } from "./prometheus.ts";

const LEASE = "scraped";
/** The first that the environment gives. */
const NAMESPACE = "scenario-1";

let environment: ProcessEnvironment;
let prometheus: Prometheus;
let stage: Stage;

beforeAll(async () => {
  const { env, programsDir } = inject("cluster");
  const log = streamLog(process.stderr);
  const { prometheus: programPath } = await findBinaries(["prometheus"], binarySources(process.env, log));
  const konductorFlags = [`--metrics-lease=${NAMESPACE}/${LEASE}`];
  environment = await startProcessEnvironment({ env, programsDir, stream: process.stderr, konductorFlags });
  const port = environment.cluster.freePorts.at(-1) ?? 0;
  const { spec: rules } = await readRules();
  prometheus = await startPrometheus({ programPath, port, targets: environment.metricsTargets(), rules });
  // Prometheus finds its targets some seconds after its start, and a counter that it first sees at 1 has no rate.
  await until("count(up == 1)", 2);
  stage = await setStage(environment, LEASE, { ttl: "15s" });
  expect(stage.namespace).toBe(NAMESPACE);
});
afterAll(async () => {
  await prometheus?.stop();
  await environment?.stop();
});

const numberOf = async (expr: string) => (await prometheus.query(expr))[0]?.value;

/** Waits for the next scrapes. */
function until(expr: string, value: number): Promise<void> {
  return waitFor({
    what: `${expr} to be ${value}`,
    withinMs: 20_000,
    holds: async () => (await numberOf(expr)) === value,
  });
}

test("what Prometheus says of turns is what happened", async () => {
  await stage.apply("first", { runsForSeconds: 60 });
  await stage.holds("first");
  await stage.apply("second", { runsForSeconds: 3 });
  await stage.waits("second");
  await until("sum(konductor_waiters)", 1);
  await until("sum(konductor_gate_streams)", 1);
  await until("sum(konductor_arbiter_is_leader)", 1);
  // The keeper renews every third of the ttl.
  await waitFor({
    what: "a renewal to be counted",
    withinMs: 20_000,
    holds: async () => ((await numberOf("sum(konductor_renewal_margin_seconds_count)")) ?? 0) > 0,
  });
  await stage.endMain("first");
  await stage.holds("second");
  await stage.atRest();
  await until("sum(konductor_waiters)", 0);
  await until("sum(konductor_grants_total)", 2);
  await until("sum(konductor_holds_ended_total)", 2);
  await until('sum(konductor_wait_duration_seconds_count{outcome="granted"})', 2);
  await until("sum(konductor_handover_duration_seconds_count)", 1);
  await until('sum(konductor_admission_duration_seconds_count{kind="Pod", verdict="patched"})', 2);
  const holds = (await stage.lease("its history", () => true)).status.history;
  const heldMs = holds.reduce((sum, { acquiredMs, endedMs }) => sum + endedMs - acquiredMs, 0);
  expect(await numberOf("sum(konductor_hold_duration_seconds_sum)")).toBeCloseTo(heldMs / 1_000, 1);
});

test("every metric of the reference is there", async () => {
  const reference = await readFile(join(ROOT, "docs/reference.md"), "utf8");
  const names = [...reference.matchAll(/^\| `(konductor_\w+)` \| (\w+) \|/gm)].map(([, name, type]) =>
    type === "histogram" ? `${name}_count` : `${name}`,
  );
  const missing = [];
  for (const name of names) if ((await prometheus.query(name)).length === 0) missing.push(name);
  expect(missing).toEqual([]);
});

describe("the dashboard", () => {
  test("has a number for every query", async () => {
    const empty = [];
    for (const { title, expr } of await readQueries("1m")) {
      const samples = await prometheus.query(expr);
      if (!samples.some(({ value }) => !Number.isNaN(value))) empty.push(`${title}: ${expr}`);
    }
    expect(empty).toEqual([]);
  });
});

test("every alert is evaluated, and on a healthy konductor none fires", async () => {
  const { alerts } = await readRules();
  const evaluated = await prometheus.rules();
  expect(evaluated).toEqual(
    alerts.map(({ alert }) => expect.objectContaining({ name: alert, health: "ok", error: undefined })),
  );
  expect(await prometheus.query("ALERTS")).toEqual([]);
});
