/** A real Prometheus that scrapes replicas of konductor. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { list, record, text } from "../../../src/shared/json.ts";
import { managedProcess } from "../../cluster/process.ts";

export interface PrometheusOptions {
  programPath: string;
  port: number;
  /** `host:port` by instance, which must serve /metrics. */
  targets: Readonly<Record<string, string>>;
  /** A rule file's content. */
  rules: object;
}

export interface Sample {
  labels: Readonly<Record<string, unknown>>;
  value: number;
}

export interface Prometheus {
  /** The value of an instant query now. Throws if Prometheus refuses it. */
  query(expr: string): Promise<Sample[]>;
  /** Of every rule, its name and what went wrong with it, if anything did. */
  rules(): Promise<{ name: string; health: string; error: string | undefined }[]>;
  stop(): Promise<void>;
}

const SCRAPE_EVERY = "1s";

export async function startPrometheus({
  programPath,
  port,
  targets,
  rules,
}: PrometheusOptions): Promise<Prometheus> {
  const dir = await mkdtemp(join(tmpdir(), "konductor-prometheus-"));
  const url = `http://127.0.0.1:${port}`;
  const labels = { namespace: "konductor-system" };
  const config = {
    global: {
      scrape_interval: SCRAPE_EVERY,
      scrape_timeout: SCRAPE_EVERY,
      evaluation_interval: SCRAPE_EVERY,
    },
    rule_files: ["rules.yaml"],
    scrape_configs: [
      {
        job_name: "konductor",
        static_configs: Object.entries(targets).map(([pod, target]) => ({
          targets: [target],
          labels: { ...labels, pod },
        })),
      },
    ],
  };
  // JSON is YAML.
  await writeFile(join(dir, "rules.yaml"), JSON.stringify(rules));
  await writeFile(join(dir, "prometheus.yaml"), JSON.stringify(config));
  const program = managedProcess({
    name: "prometheus",
    // It dies with the process that started it, however that ends.
    command: [
      ...["setpriv", "--pdeathsig", "KILL", programPath],
      `--config.file=${join(dir, "prometheus.yaml")}`,
      `--storage.tsdb.path=${join(dir, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    cwd: dir,
    env: {},
    logPath: join(dir, "log"),
    ready: async () => (await fetch(`${url}/-/ready`)).ok,
  });
  await program.start();

  async function ask(path: string): Promise<Record<string, unknown>> {
    const response = await fetch(`${url}${path}`);
    const body = record(await response.json());
    if (body["status"] !== "success") throw new Error(`${path}: ${text(body["error"])}`);
    return record(body["data"]);
  }

  return {
    async query(expr) {
      const { result } = await ask(`/api/v1/query?query=${encodeURIComponent(expr)}`);
      return list(result).map((sample) => {
        const { metric, value } = record(sample);
        return { labels: record(metric), value: Number(list(value)[1]) };
      });
    },
    async rules() {
      const { groups } = await ask("/api/v1/rules");
      return list(groups)
        .flatMap((group) => list(record(group)["rules"]).map(record))
        .map(({ name, health, lastError }) => ({
          name: text(name) ?? "",
          health: text(health) ?? "",
          error: text(lastError),
        }));
    },
    async stop() {
      await program.kill();
      await rm(dir, { recursive: true });
    },
  };
}
