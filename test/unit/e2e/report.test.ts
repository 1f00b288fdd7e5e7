import { expect, test } from "vitest";
import { readCounts } from "../../report.ts";

const aTest = (fullName: string, status: string, ...failureMessages: string[]) => ({
  ...{ fullName, status, failureMessages },
});

test("a failure is reported by its first line, and a test that passed only when retried is reported, too", () => {
  const report = {
    ...{ numPassedTests: 2, numFailedTests: 1, numPendingTests: 1 },
    testResults: [
      {
        name: `${process.cwd()}/test/a.test.ts`,
        assertionResults: [
          aTest("good", "passed"),
          aTest("late", "passed", "Error: 300 ms\n    at line 1"),
          aTest("bad", "failed", "Error: 2 ran\n    at line 2"),
          aTest("elsewhere", "skipped"),
        ],
      },
    ],
  };
  expect(readCounts(JSON.stringify(report), { project: "unit", code: 1 })).toEqual({
    ...{ passed: 2, failed: 1, skipped: 1 },
    failures: ["unit: test/a.test.ts: bad: Error: 2 ran"],
    retried: ["unit: test/a.test.ts: late: Error: 300 ms"],
  });
});

test("a run without a report, or a failure outside of tests, counts as failed", () => {
  expect(readCounts("", { project: "unit", code: 1 })).toMatchObject({ passed: 0, failed: 1 });
  const file = { name: `${process.cwd()}/test/a.test.ts`, status: "failed", message: "no such module" };
  const report = JSON.stringify({ numPassedTests: 5, testResults: [file] });
  expect(readCounts(report, { project: "unit", code: 1 })).toMatchObject({
    failed: 1,
    failures: ["unit: test/a.test.ts: no such module"],
  });
});
