/** Reads vitest's JSON report of one project. */
import { relative } from "node:path";
import { integer, list, parseJson, record, text } from "../src/shared/json.ts";

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** A line for each failure, for the end of the output: often only that is kept. */
  failures: readonly string[];
  /** A line for each test that passed only on a retry. */
  retried: readonly string[];
}

/** `code`: vitest's exit code. Anything but a report counts as a report without tests. */
export function readCounts(report: string, { project, code }: { project: string; code: number }): Counts {
  const whole = record(parseJson(report));
  const count = (key: string) => integer(whole[key]) ?? 0;
  const failed = count("numFailedTests");
  const ofProject = (line: string) => `${project}: ${line}`;
  return {
    passed: count("numPassedTests"),
    // A file that could not be loaded, or an error outside a test, fails the run without a failed test.
    failed: code !== 0 && failed === 0 ? 1 : failed,
    skipped: count("numPendingTests") + count("numTodoTests"),
    failures: failuresIn(whole).map(ofProject),
    retried: retriedIn(whole).map(ofProject),
  };
}

/** Each failed test, and each file that failed without a failed test, with the first line of its message. */
function failuresIn(report: Record<string, unknown>): string[] {
  return filesOf(report).flatMap(({ path, file, tests }) => {
    const lines = tests.filter(({ status }) => status === "failed").map((test) => lineOf(path, test));
    return lines.length === 0 && file.status === "failed" ? [failureLine(path, file.message)] : lines;
  });
}

function retriedIn(report: Record<string, unknown>): string[] {
  return filesOf(report).flatMap(({ path, tests }) =>
    tests
      .filter(({ status, failureMessages }) => status === "passed" && list(failureMessages).length > 0)
      .map((test) => lineOf(path, test)),
  );
}

function filesOf(report: Record<string, unknown>) {
  return list(report.testResults)
    .map(record)
    .map((file) => ({
      file,
      path: relative(process.cwd(), text(file.name) ?? ""),
      tests: list(file.assertionResults).map(record),
    }));
}

function lineOf(path: string, { fullName, failureMessages }: Record<string, unknown>): string {
  return failureLine(`${path}: ${text(fullName)}`, list(failureMessages)[0]);
}

function failureLine(where: string, message: unknown): string {
  return `${where}: ${text(message)?.split("\n", 1)[0]?.slice(0, 300) ?? "no message"}`;
}
