/**
 * The test command: runs everything on this machine, and prints a summary of what ran where. As root, each scenario runs once, on its home node. With
 * --all, each scenario runs on every node where it can, and repetitions run in full.
 * usage: node test/run.ts [--all] [stage...]   stages: lint types unit integration scenarios installs docs
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { BRIEF, canRunKubelet } from "./extent.ts";
import { type Counts, readCounts } from "./report.ts";
import { RIGHTS_PATH, unusedRights } from "./rights.ts";

interface ProjectStage {
  name: string;
  /** A vitest project. */
  project: string;
  /** Scenarios are counted by node. */
  node?: string;
  /** Runs with `--all` alone. */
  isExtra?: boolean;
}

type Stage =
  | ProjectStage
  /** A command of which only the exit code counts. */
  | { name: string; command: readonly string[] };

type Env = Readonly<Record<string, string>>;

interface Run {
  /** The folder for reports; removed after the run. */
  dir: string;
  /** Added to this process's environment. */
  env: Env;
}

const isRoot = canRunKubelet();

/** Groups run one after the other, the chains of a group side by side, and the stages of a chain one after the other. */
const GROUPS: readonly (readonly (Stage | readonly Stage[])[])[] = [
  [
    { name: "lint", command: ["biome", "check", "--error-on-warnings", "."] },
    { name: "types", command: ["tsc", "--noEmit"] },
    { name: "types", command: ["tsc", "--noEmit", "-p", "src/cli/dashboard/page"] },
    { name: "unit", project: "unit" },
    { name: "unit", project: "sim" },
  ],
  // As root, a kubelet that cannot be started is a failure; without root, there can be no kubelet.
  isRoot ? [{ name: "scenarios", project: "scenarios-kubelet", node: "kubelet" }] : [],
  // The tests with clusters mostly wait. With all three at once, two cores would be so busy that pods starve.
  [
    [
      { name: "integration", project: "integration" },
      { name: "scenarios", project: "scenarios-process", node: "process node" },
    ],
    { name: "integration", project: "integration-clusters" },
  ],
  isRoot
    ? [{ name: "scenarios", project: "scenarios-trial", node: "kubelet, of a trial", isExtra: true }]
    : [],
  isRoot ? [{ name: "installs", project: "installs", isExtra: true }] : [],
  isRoot ? [{ name: "docs", project: "docs", isExtra: true }] : [],
];
const STAGES = GROUPS.flat(2);

function titleOf(stage: Stage): string {
  if (!("project" in stage)) return stage.name;
  return stage.node ? `${stage.name} on the ${stage.node}` : stage.project;
}

function run(command: readonly string[], prefix: string, env: Env = {}): Promise<number> {
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    for (const stream of [child.stdout, child.stderr]) pass(stream, prefix);
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}

/** Stages write at the same time, so every line gets its stage's prefix. */
function pass(stream: Readable, prefix: string): void {
  createInterface(stream).on("line", (line) => process.stdout.write(`${prefix}${line}\n`));
}

async function runProject({ project }: ProjectStage, { dir, env }: Run): Promise<Counts> {
  const reportPath = join(dir, `${project}.json`);
  const vitest = ["vitest", "run", "--project", project];
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportPath}`];
  const code = await run([...vitest, ...reporters], `${project} | `, env);
  return readCounts(await readFile(reportPath, "utf8").catch(() => "{}"), { project, code });
}

interface Done {
  stage: Stage;
  counts: Counts;
  seconds: number;
}

async function runStage(stage: Stage, whole: Run): Promise<Done> {
  const startedMs = performance.now();
  process.stdout.write(`==> ${titleOf(stage)}\n`);
  const counts =
    "project" in stage
      ? await runProject(stage, whole)
      : {
          passed: 0,
          skipped: 0,
          failed: (await run(stage.command, "")) === 0 ? 0 : 1,
          failures: [],
          retried: [],
        };
  return { stage, counts, seconds: Math.round((performance.now() - startedMs) / 1_000) };
}

function summary({ stage, counts, seconds }: Done): string {
  const { passed, failed, skipped } = counts;
  const title = `${titleOf(stage)} (${seconds} s)`;
  if (!("project" in stage)) return `${title}: ${failed === 0 ? "ok" : "FAILED"}`;
  return `${title}: ${passed} passed, ${failed} failed, ${skipped} skipped`;
}

async function main(args: readonly string[]): Promise<number> {
  const isAll = args.includes("--all");
  const wanted = args.filter((arg) => arg !== "--all");
  const names = new Set(STAGES.map(({ name }) => name));
  const unknown = wanted.find((name) => !names.has(name));
  if (unknown !== undefined) {
    process.stderr.write(`there is no stage "${unknown}"; there are ${[...names].join(", ")}\n`);
    return 2;
  }
  const isWanted = (stage: Stage) =>
    (wanted.length === 0 || wanted.includes(stage.name)) && (isAll || !("isExtra" in stage && stage.isExtra));
  const startedMs = performance.now();
  const dir = await mkdtemp(join(tmpdir(), "konductor-test-"));
  const rightsPath = join(dir, "rights");
  const env = { [BRIEF]: String(!isAll), [RIGHTS_PATH]: rightsPath };
  const whole: Run = { dir, env };
  const done: Done[] = [];
  const runChain = async (chain: readonly Stage[]) => {
    for (const stage of chain.filter(isWanted)) done.push(await runStage(stage, whole));
  };
  for (const group of GROUPS) await Promise.all(group.map((each) => runChain([each].flat())));
  const total = (key: "passed" | "failed" | "skipped") =>
    done.reduce((sum, { counts }) => sum + counts[key], 0);
  // A failed test may have ended before it used a right.
  const isWhole = isRoot && wanted.length === 0 && total("failed") === 0;
  const unused = isWhole ? await unusedRights(process.cwd(), await readFile(rightsPath, "utf8")) : [];
  await rm(dir, { recursive: true, force: true });
  process.stdout.write(`\n${done.map(summary).join("\n")}\n`);
  if (!isRoot)
    process.stdout.write("scenarios on the kubelet: none ran, since a kubelet needs root on Linux\n");
  for (const retry of done.flatMap(({ counts }) => counts.retried))
    process.stdout.write(`TRIED AGAIN ${retry}\n`);
  for (const failure of done.flatMap(({ counts }) => counts.failures))
    process.stdout.write(`FAILED ${failure}\n`);
  for (const right of unused)
    process.stdout.write(`FAILED rights: deploy/ lets konductor "${right}", which no test has needed\n`);
  process.stdout.write(`all stages: ${Math.round((performance.now() - startedMs) / 1_000)} s\n`);
  process.stdout.write(`${total("passed")} passed, ${total("failed")} failed, ${total("skipped")} skipped\n`);
  return total("failed") + unused.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
