/**
 * The test command: everything on this machine, with a summary that says what ran where.
 * usage: node test/run.ts [stage...]   stages: lint types unit integration scenarios
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { integer, list, parseJson, record, text } from "../src/shared/json.ts";

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** A line for each failure, for the end of the output: often that is all that is kept of it. */
  failures: readonly string[];
}

interface Stage {
  name: string;
  /** A vitest project, or a command of which only the exit code counts. */
  project?: string;
  command?: readonly string[];
  /** Scenarios are counted by node. */
  node?: string;
}

const isRoot = process.platform === "linux" && userInfo().uid === 0;

const BASICS: readonly Stage[] = [
  { name: "lint", command: ["biome", "check", "--error-on-warnings", "."] },
  { name: "types", command: ["tsc", "--noEmit"] },
  { name: "unit", project: "unit" },
];
/** Side by side, since they mostly wait for clusters. */
const TOGETHER: readonly Stage[] = [
  { name: "integration", project: "integration" },
  { name: "scenarios", project: "scenarios-process", node: "process node" },
];
/**
 * With the machine to itself: its bounds are about a kubelet that gets its share of the CPU. As root a kubelet that cannot be started is a
 * failure; without root there can be none.
 */
const ALONE: readonly Stage[] = isRoot
  ? [{ name: "scenarios", project: "scenarios-kubelet", node: "kubelet" }]
  : [];
const STAGES = [...BASICS, ...TOGETHER, ...ALONE];

function titleOf({ name, node }: Stage): string {
  return node ? `${name} on the ${node}` : name;
}

function run(command: readonly string[], prefix: string): Promise<number> {
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) pass(stream, prefix);
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}

/** Stages write at the same time: every line says whose it is. */
function pass(stream: Readable, prefix: string): void {
  createInterface(stream).on("line", (line) => process.stdout.write(`${prefix}${line}\n`));
}

async function runProject(project: string, reportPath: string): Promise<Counts> {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportPath}`];
  const code = await run(["vitest", "run", "--project", project, ...reporters], `${project} | `);
  const report = record(parseJson(await readFile(reportPath, "utf8").catch(() => "{}")));
  const count = (key: string) => integer(report[key]) ?? 0;
  const failed = count("numFailedTests");
  // A file that could not be loaded, or an error outside a test, fails the run without a failed test.
  return {
    passed: count("numPassedTests"),
    failed: code !== 0 && failed === 0 ? 1 : failed,
    skipped: count("numPendingTests") + count("numTodoTests"),
    failures: failuresIn(report).map((failure) => `${project}: ${failure}`),
  };
}

/** Each failed test, and each file that failed without one, with the first line of what it said. */
function failuresIn(report: Record<string, unknown>): string[] {
  return list(report.testResults).flatMap((result) => {
    const file = record(result);
    const path = relative(process.cwd(), text(file.name) ?? "");
    const failed = list(file.assertionResults)
      .map(record)
      .filter(({ status }) => status === "failed");
    const lines = failed.map((test) =>
      failureLine(`${path}: ${text(test.fullName)}`, list(test.failureMessages)[0]),
    );
    return lines.length === 0 && file.status === "failed" ? [failureLine(path, file.message)] : lines;
  });
}

function failureLine(where: string, message: unknown): string {
  return `${where}: ${text(message)?.split("\n", 1)[0]?.slice(0, 300) ?? "no message"}`;
}

interface Done {
  stage: Stage;
  counts: Counts;
  seconds: number;
}

async function runStage(stage: Stage, dir: string): Promise<Done> {
  const startedMs = performance.now();
  process.stdout.write(`==> ${titleOf(stage)}\n`);
  const counts = stage.project
    ? await runProject(stage.project, join(dir, `${stage.project}.json`))
    : { passed: 0, skipped: 0, failed: (await run(stage.command ?? [], "")) === 0 ? 0 : 1, failures: [] };
  return { stage, counts, seconds: Math.round((performance.now() - startedMs) / 1_000) };
}

async function runInTurn(stages: readonly Stage[], dir: string): Promise<Done[]> {
  const done: Done[] = [];
  for (const stage of stages) done.push(await runStage(stage, dir));
  return done;
}

function summary({ stage, counts, seconds }: Done): string {
  const { passed, failed, skipped } = counts;
  const title = `${titleOf(stage)} (${seconds} s)`;
  if (!stage.project) return `${title}: ${failed === 0 ? "ok" : "FAILED"}`;
  const ran = passed + failed;
  const of = stage.node ? `${ran} of ${ran + skipped} scenarios ran; ` : "";
  return `${title}: ${of}${passed} passed, ${failed} failed, ${skipped} skipped`;
}

async function main(wanted: readonly string[]): Promise<number> {
  const names = new Set(STAGES.map(({ name }) => name));
  const unknown = wanted.find((name) => !names.has(name));
  if (unknown !== undefined) {
    process.stderr.write(`there is no stage "${unknown}"; there are ${[...names].join(", ")}\n`);
    return 2;
  }
  const isWanted = ({ name }: Stage) => wanted.length === 0 || wanted.includes(name);
  const dir = await mkdtemp(join(tmpdir(), "konductor-test-"));
  const basics = await runInTurn(BASICS.filter(isWanted), dir);
  const together = await Promise.all(TOGETHER.filter(isWanted).map((stage) => runStage(stage, dir)));
  const alone = await runInTurn(ALONE.filter(isWanted), dir);
  await rm(dir, { recursive: true, force: true });
  const done = [...basics, ...together, ...alone];
  const total = (key: "passed" | "failed" | "skipped") =>
    done.reduce((sum, { counts }) => sum + counts[key], 0);
  process.stdout.write(`\n${done.map(summary).join("\n")}\n`);
  if (!isRoot)
    process.stdout.write("scenarios on the kubelet: none ran, since a kubelet needs root on Linux\n");
  for (const failure of done.flatMap(({ counts }) => counts.failures))
    process.stdout.write(`FAILED ${failure}\n`);
  process.stdout.write(`${total("passed")} passed, ${total("failed")} failed, ${total("skipped")} skipped\n`);
  return total("failed") === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
