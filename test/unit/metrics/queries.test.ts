/**
 * The alerts and the dashboard of deploy/monitoring, and the series by which the alerts are tried, are about what a replica really serves:
 * its names, its labels, their values, its types.
 */
import { readFile } from "node:fs/promises";
import { beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { BY_LEASE } from "../../../src/objects/caches.ts";
import { list, record, text } from "../../../src/shared/json.ts";
import { ALERT_TESTS, readQueries, readRules } from "../../integration/monitoring/manifests.ts";
import { fedReflector } from "../controller/fed-reflector.ts";
import { readQuery, type Selector } from "./queries.ts";
import { countedMetrics } from "./scraped.ts";

/** What Prometheus adds to each series of a target. */
const OF_TARGET = ["namespace", "pod", "instance"];

interface Served {
  /** Of the metric that a series belongs to. */
  types: ReadonlyMap<string, string>;
  /** Every value of every label, by name of the series. */
  series: ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>;
}

let page: Served;
beforeAll(async () => {
  page = await served();
});

/** What a replica serves that is the arbiter and has done each thing once. */
async function served(): Promise<Served> {
  const metrics = countedMetrics();
  const heard = { lastEventMonotonicMs: 0 };
  metrics.observe({
    caches: {
      leases: { ...fedReflector(), ...heard },
      requests: { ...fedReflector({ [BY_LEASE]: () => "" }), ...heard },
      pods: heard,
      jobs: heard,
      nodes: heard,
    },
    ...{ isLeader: () => true, openStreams: () => 0, certificateNotAfterMs: () => 0 },
    leases: [{ namespace: "ns", name: "nightly" }],
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
  });
  metrics.observeProcess();
  metrics.onKubeCall({ verb: "get", status: 200 });
  const lines = await metrics.page.text();
  const types = new Map(
    [...lines.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => [name, type]),
  );
  const series = new Map<string, Map<string, Set<string>>>();
  for (const [, name = "", labels = ""] of lines.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const known = series.get(name) ?? new Map<string, Set<string>>();
    series.set(name, known);
    for (const [, label = "", value = ""] of labels.matchAll(/(\w+)="([^"]*)"/g))
      known.set(label, (known.get(label) ?? new Set<string>()).add(value));
  }
  return { types, series };
}

/** Only what counts up has a rate, and it is of no use without one. */
function typeErrors({ metric, within }: Selector): string[] {
  if (!page.series.has(metric)) return [];
  // The series of a histogram have names of their own.
  const isCounter = page.types.get(metric) === "counter" || !page.types.has(metric);
  const isRate = within === "rate" || within === "increase";
  return isCounter === isRate ? [] : [`${metric} is ${isCounter ? "a counter" : "no counter"}`];
}

/** What of its name, labels and their values a replica does not serve. */
function unservedOf({ metric, matchers }: Selector, labels: readonly string[] = []): string[] {
  const known = page.series.get(metric);
  if (!known) return [metric];
  const names = [...labels, ...Object.keys(matchers)].filter((label) => !OF_TARGET.includes(label));
  const values = Object.entries(matchers).flatMap(([label, wanted = []]) =>
    wanted.filter((value) => known.has(label) && !known.get(label)?.has(value)),
  );
  return [
    ...names.filter((label) => !known.has(label)).map((label) => `${metric}{${label}}`),
    ...values.map((value) => `${metric} ${value}`),
  ];
}

/** What a replica does not serve of what `expr` reads. */
function missingOf(expr: string): string[] {
  const { selectors, labels } = readQuery(expr);
  expect(selectors, expr).not.toEqual([]);
  return selectors.flatMap((selector) => [...unservedOf(selector, labels), ...typeErrors(selector)]);
}

test("what the alerts read is served", async () => {
  const { alerts } = await readRules();
  for (const { alert, expr } of alerts) expect(missingOf(expr), alert).toEqual([]);
});

test("what the dashboard shows is served, and what its legends name is left of it", async () => {
  for (const { title, expr, legend } of await readQueries("1m")) {
    expect(missingOf(expr), title).toEqual([]);
    const { labels } = readQuery(expr);
    const named = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
    const left = labels.length > 0 ? labels : OF_TARGET;
    expect(
      named.filter((label) => !left.includes(label)),
      title,
    ).toEqual([]);
  }
});

test("the series by which the alerts are tried could be a replica's", async () => {
  const tests = list(record(parse(await readFile(ALERT_TESTS, "utf8")))["tests"]).map(record);
  const series = tests.flatMap((each) =>
    list(each["input_series"]).map((one) => text(record(one)["series"]) ?? ""),
  );
  // Prometheus itself makes this one.
  for (const one of series.filter((name) => !name.startsWith("up{"))) {
    const [selector] = readQuery(one).selectors;
    expect(selector && unservedOf(selector), one).toEqual([]);
    const names = Object.keys(selector?.matchers ?? {}).filter((label) => !OF_TARGET.includes(label));
    expect(names.toSorted(), one).toEqual(
      [...(page.series.get(selector?.metric ?? "")?.keys() ?? [])].toSorted(),
    );
  }
});

test.each([
  ["sum(konductor_nobody)", ["konductor_nobody"]],
  ["sum by (reason) (konductor_waiters)", ["konductor_waiters{reason}"]],
  ['konductor_waiters{lease="a"}', ["konductor_waiters{lease}"]],
  ['rate(konductor_holds_ended_total{reason=~"Fenced|Lost"}[5m])', ["konductor_holds_ended_total Lost"]],
  ["rate(konductor_waiters[5m])", ["konductor_waiters is no counter"]],
  [
    "konductor_grants_total > 0 and on (node) konductor_build_info",
    ["konductor_grants_total{node}", "konductor_grants_total is a counter", "konductor_build_info{node}"],
  ],
])("what is not served is found: %s", (expr, missing) => {
  expect(missingOf(expr)).toEqual(missing);
});
