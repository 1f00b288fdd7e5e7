import { expect, test } from "vitest";
import { toSvg } from "../../../tools/demo/recording.ts";
import { createTimeline } from "../../../tools/demo/timeline.ts";

test("a recording shows a timeline line by line, with its colours, and its text unchanged", () => {
  const written: string[] = [];
  const tell = createTimeline({ write: (text) => written.push(text), colours: true, nowMs: () => 0 });
  tell({ exercise: "report", subject: "one", text: "holds <1> & runs", tone: "green" });
  tell({ exercise: "report", subject: "two", text: "waits" });
  const svg = toSvg(written.join(""), "make demo");
  const rows = svg.split("\n").filter((line) => line.startsWith("<text"));
  expect(rows).toHaveLength(2);
  expect(rows[0]).toContain('<tspan fill="#98c379">holds &lt;1&gt; &amp; runs</tspan>');
  expect(rows[1]).toMatch(/<tspan fill="#d6deeb">.*two {19} {2}waits<\/tspan>/);
  expect(svg).not.toContain("\u001B");
});
