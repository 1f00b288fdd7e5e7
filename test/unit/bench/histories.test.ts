/** Which durations the bench of the forecast finds in files of others. */
import { expect, test } from "vitest";
import { type History, parseHistories } from "../../bench/histories.ts";

const lease = (name: string, holdSeconds: number[]) => ({
  metadata: { namespace: "team-a", name },
  status: { holdSeconds },
});
test.each<[string, string, string | object, History[]]>([
  [
    "of each Lease, whose latest hold stands first",
    "all.json",
    { items: [lease("report", [7, 5]), lease("new", []), lease("backup", [60])] },
    [
      { name: "all: team-a/report", seconds: [5, 7] },
      { name: "all: team-a/backup", seconds: [60] },
    ],
  ],
  [
    "of vitest's test files, in the order of their names",
    "unit.json",
    {
      testResults: [
        { name: "b", startTime: 1_000, endTime: 1_500 },
        { name: "a", startTime: 2_000, endTime: 5_000 },
      ],
    },
    [{ name: "unit", seconds: [3, 0.5] }],
  ],
  ["that we have measured", "own.json", { how: "so", seconds: [3, 1] }, [{ name: "own", seconds: [3, 1] }]],
  ["of lines", "times.csv", "3\n1.5\n\n2\n", [{ name: "times", seconds: [3, 1.5, 2] }]],
  [
    "of a column, without what is no duration",
    "ci.csv",
    "run,seconds\n1,30\n2,\n3,-1\n4,45\n",
    [{ name: "ci", seconds: [30, 45] }],
  ],
  [
    "of a trace in the Standard Workload Format",
    "site.swf",
    "; Version: 2\n  1 0 10 100 4\n  2 5 0 -1 4\n  3 9 1 20 1\n",
    [{ name: "site", seconds: [100, 20] }],
  ],
  ["none of another file", "README.md", "3\n", []],
  ["none of a column that is not called seconds", "ci.csv", "run,time\n1,30\n", []],
  ["none of what is no JSON", "cut.json", '{"seconds": [1', []],
])("durations %s", (_, fileName, content, histories) => {
  const written = typeof content === "string" ? content : JSON.stringify(content);
  expect(parseHistories(fileName, written)).toEqual(histories);
});
