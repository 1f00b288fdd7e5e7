import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { list, record, text } from "../../../src/shared/json.ts";

export const ROOT = join(import.meta.dirname, "../../..");
export const MONITORING = join(ROOT, "deploy/monitoring");
/** Input of `promtool test rules`. */
export const ALERT_TESTS = join(import.meta.dirname, "alerts.yaml");

export interface AlertRule {
  alert: string;
  expr: string;
  annotations: Record<string, unknown>;
}

/** The PrometheusRule's spec, which has the form of a rule file, and its alerts. */
export async function readRules(): Promise<{ spec: Record<string, unknown>; alerts: AlertRule[] }> {
  const spec = record(record(parse(await readFile(join(MONITORING, "rules.yaml"), "utf8")))["spec"]);
  const rules = list(spec["groups"]).flatMap((group) => list(record(group)["rules"]).map(record));
  const alerts = rules.map(({ alert, expr, annotations }) => ({
    alert: text(alert) ?? "",
    expr: text(expr) ?? "",
    annotations: record(annotations),
  }));
  return { spec, alerts };
}

export interface DashboardQuery {
  /** Of its panel. */
  title: string;
  expr: string;
  legend: string;
}

/** Every query of the dashboard. `rateInterval` is what Grafana would put in. */
export async function readQueries(rateInterval: string): Promise<DashboardQuery[]> {
  const dashboard = record(JSON.parse(await readFile(join(MONITORING, "dashboard.json"), "utf8")));
  return list(dashboard["panels"])
    .map(record)
    .flatMap(({ title, targets }) =>
      list(targets).map((target) => ({
        title: text(title) ?? "",
        expr: (text(record(target)["expr"]) ?? "").replaceAll("$__rate_interval", rateInterval),
        legend: text(record(target)["legendFormat"]) ?? "",
      })),
    );
}
