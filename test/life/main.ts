/**
 * Every way in which a hold ends or lasts, on a kubelet: runs the scenarios of those rows, and prints each bound and the measured time.
 * usage: node test/life/main.ts
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseFigures } from "../e2e/figures.ts";
import { SCENARIOS } from "../e2e/scenarios.ts";
import { lifeTable, parseVerdicts } from "./table.ts";

const scenarios = SCENARIOS.filter(({ row }) => row !== undefined);

function runScenarios(figuresPath: string, reportPath: string): Promise<number> {
  const names = scenarios.map(({ name }) => name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const args = ["run", "--project=scenarios-kubelet", `--testNamePattern=(${names.join("|")})$`];
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportPath}`];
  const env = { ...process.env, KONDUCTOR_FIGURES: figuresPath };
  return new Promise((resolve, reject) => {
    const child = spawn("vitest", [...args, ...reporters], { stdio: "inherit", env });
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}

const dir = await mkdtemp(join(tmpdir(), "konductor-life-"));
try {
  const [figuresPath, reportPath] = [join(dir, "figures"), join(dir, "report.json")];
  const code = await runScenarios(figuresPath, reportPath);
  const figures = parseFigures(await readFile(figuresPath, "utf8").catch(() => ""));
  const report: unknown = JSON.parse(await readFile(reportPath, "utf8").catch(() => "{}"));
  const table = lifeTable(scenarios, figures, parseVerdicts(report));
  process.stdout.write(`\n${table.text}`);
  process.exitCode = code === 0 && table.ok ? 0 : 1;
} finally {
  await rm(dir, { recursive: true, force: true });
}
