import { describe, expect, test } from "vitest";
import { type DemoRun, formatRuns, judge } from "../../../tools/demo/verdict.ts";

function run(by: string, fromMs: number, toMs: number, ended = true): DemoRun {
  return { by, exercise: "report", lease: "report", waitedMs: undefined, fromMs, toMs, ended };
}

describe("judge", () => {
  test("passes consecutive runs in any order", () => {
    const runs = [run("b", 2_000, 3_000), run("a", 1_000, 2_000)];
    expect(judge("report", runs)).toEqual({
      ok: true,
      sentences: ["no two runs of klease report overlapped: 2 runs"],
    });
  });

  test("names the pods that ran together, and for how long", () => {
    const { ok, sentences } = judge("report", [
      run("a", 0, 5_000),
      run("b", 1_000, 4_200),
      run("c", 5_000, 6_000),
    ]);
    expect(ok).toBe(false);
    expect(sentences).toEqual(["OVERLAP: a and b ran together for 3.2 s"]);
  });

  test("does not pass a run without an end", () => {
    const silent = run("c", Number.NaN, Number.NaN, false);
    const { ok, sentences } = judge("report", [run("a", 0, 1_000), run("b", 2_000, 3_000), silent]);
    expect(ok).toBe(false);
    expect(sentences).toEqual([expect.stringContaining("c did not say when")]);
  });

  test("finds an overlap even beside a run without an end", () => {
    const silent = run("c", Number.NaN, Number.NaN, false);
    const { sentences } = judge("report", [silent, run("a", 0, 1_000), run("b", 500, 3_000)]);
    expect(sentences).toContainEqual("OVERLAP: a and b ran together for 0.5 s");
  });

  test.for([[[]], [[run("a", 0, 1_000)]]])("does not pass %j, which prove nothing", ([runs = []]) => {
    expect(judge("report", runs).ok).toBe(false);
  });
});

test("the table lists the runs in their order", () => {
  const table = formatRuns([run("later", 5_000, 6_000), run("first", 1_000, 2_000)]);
  expect(table.indexOf("first")).toBeLessThan(table.indexOf("later"));
});
