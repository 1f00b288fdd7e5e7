/** The alerts by the real promtool, their runbooks, and the component in an overlay. */
import { copyFile, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { list, record, text } from "../../../src/shared/json.ts";
import { render } from "../../../tools/manifests/render.ts";
import { type Binaries, binarySources, findBinaries } from "../../cluster/binaries/find.ts";
import { run } from "../../cluster/command.ts";
import { streamLog } from "../../cluster/log.ts";
import { ALERT_TESTS, MONITORING, ROOT, readRules } from "./manifests.ts";

let binaries: Binaries<"kubectl" | "promtool">;
let dir: string;

beforeAll(async () => {
  const sources = binarySources(process.env, streamLog(process.stderr));
  binaries = await findBinaries(["kubectl", "promtool"], sources);
  dir = await realpath(await mkdtemp(join(tmpdir(), "konductor-monitoring-")));
  await writeFile(join(dir, "rules.yaml"), JSON.stringify((await readRules()).spec));
});
afterAll(() => rm(dir, { recursive: true }));

test("the rules are sound, and each alert fires when it should", async () => {
  await copyFile(ALERT_TESTS, join(dir, "alerts.yaml"));
  const checked = await run(binaries.promtool, ["check", "rules", "--lint-fatal", join(dir, "rules.yaml")]);
  expect(checked).toMatch(/SUCCESS: \d+ rules found/);
  await run(binaries.promtool, ["test", "rules", join(dir, "alerts.yaml")]);
});

test("each alert is tried both ways, and has a runbook of its name", async () => {
  const tests = list(record(parse(await readFile(ALERT_TESTS, "utf8")))["tests"]).map(record);
  const tried = tests.flatMap((each) => list(each["alert_rule_test"]).map(record));
  const outcomes = (name: string) =>
    new Set(
      tried.filter(({ alertname }) => alertname === name).map((each) => list(each["exp_alerts"]).length > 0),
    );
  const runbooks = await readFile(join(ROOT, "docs/runbooks.md"), "utf8");
  const sections = [...runbooks.matchAll(/^## (\w+)\n\n- \*\*Means\*\*.*\n- \*\*Look\*\*.*\n- \*\*Do\*\*/gm)];
  const { alerts } = await readRules();
  expect(sections.map(([, name]) => name)).toEqual(alerts.map(({ alert }) => alert));
  for (const { alert, annotations } of alerts) {
    expect(outcomes(alert), alert).toEqual(new Set([true, false]));
    expect(annotations["runbook_url"]).toBe(`docs/runbooks.md#${alert.toLowerCase()}`);
  }
});

test("an overlay in another namespace takes the component there, and opens the port to Prometheus alone", async () => {
  const kustomization = {
    namespace: "locks",
    resources: [relative(dir, join(ROOT, "deploy"))],
    components: [relative(dir, MONITORING)],
    transformers: [relative(dir, join(ROOT, "deploy/follow"))],
  };
  await writeFile(join(dir, "kustomization.yaml"), JSON.stringify(kustomization));
  const rendered = await render(binaries.kubectl, dir);
  expect(rendered).not.toContain("konductor-system");
  const objects = parseAllDocuments(rendered).map((document) => record(document.toJS()));
  const inLocks = objects.filter(({ metadata }) => record(metadata)["namespace"] === "locks");
  const names = inLocks.map(({ kind, metadata }) => `${text(kind)} ${text(record(metadata)["name"])}`);
  expect(names).toEqual(
    expect.arrayContaining([
      "ServiceMonitor konductor",
      "PrometheusRule konductor",
      "ConfigMap konductor-dashboard",
      "NetworkPolicy konductor-metrics",
    ]),
  );
  const specOf = (wanted: string) =>
    record(
      inLocks.find(({ kind, metadata }) => `${text(kind)} ${text(record(metadata)["name"])}` === wanted)?.[
        "spec"
      ],
    );
  const [endpoint] = list(specOf("ServiceMonitor konductor")["endpoints"]).map(record);
  const ports = list(specOf("Service konductor")["ports"]).map(record);
  expect(ports.map(({ name }) => name)).toContain(endpoint?.["port"]);
  const policies = objects.filter(({ kind }) => kind === "NetworkPolicy");
  const rules = policies.flatMap(({ spec }) => list(record(spec)["ingress"]).map(record));
  const opened = rules.map((rule) => [
    text(record(list(rule["ports"])[0])["port"]),
    list(rule["from"]).length,
  ]);
  expect(opened).toEqual([
    ["https", 0],
    ["metrics", 1],
  ]);
});
