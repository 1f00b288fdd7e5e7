import { expect, test } from "vitest";
import { parseFigures } from "../../e2e/figures.ts";
import { lifeTable, parseVerdicts } from "../../life/table.ts";

const started = { name: "it never starts", row: "main never starts" } as const;
const restarted = { name: "it restarts", row: "main, keeper, kubelet or containerd restarted" } as const;
const verdicts = parseVerdicts({
  testResults: [
    {
      assertionResults: [
        { title: started.name, status: "passed" },
        { title: restarted.name, status: "failed" },
      ],
    },
  ],
});
const figure = (measuredMs: number) =>
  `${JSON.stringify({ what: "until the next", measuredMs, boundMs: 5_000, scenario: started.name })}\n`;

test("the table has a line for each figure, or for a scenario without figures, in the order of the rows", () => {
  const table = lifeTable([started, restarted], parseFigures(figure(250)), verdicts);
  expect(table.text.split("\n").slice(1)).toEqual([
    expect.stringMatching(/^main, keeper.* it restarts +FAILED$/),
    expect.stringMatching(/^main never starts +until the next +5\.0 s +0\.250 s +ok$/),
    "",
  ]);
  expect(table.ok).toBe(false);
});

test("the last of several tries counts, and a missed bound is not ok", () => {
  expect(lifeTable([started], parseFigures(figure(9_000) + figure(1_000)), verdicts).ok).toBe(true);
  const late = lifeTable([started], parseFigures(figure(9_000)), verdicts);
  expect(late).toMatchObject({ ok: false, text: expect.stringContaining("LATE") });
});

test("a scenario that did not run is not ok", () => {
  const table = lifeTable([started], [], new Map());
  expect(table).toMatchObject({ ok: false, text: expect.stringContaining("DID NOT RUN") });
});
