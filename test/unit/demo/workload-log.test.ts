import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { list, record } from "../../../src/shared/json.ts";
import { parseMark } from "../../../tools/demo/workload-log.ts";

test.for([
  ["1795387703.672000 start", { event: "start", atMs: 1_795_387_703_672 }],
  ["1795387703.5 end", { event: "end", atMs: 1_795_387_703_500 }],
] as const)("reads %s", ([line, mark]) => {
  expect(parseMark(line)).toEqual(mark);
});

test.for(["migrating part 2", "1795387703.%N start", " start", "1795387703.5 end of part 1"])(
  "ignores %j",
  (line) => {
    expect(parseMark(line)).toBeUndefined();
  },
);

test("an example's script writes its marks in this machine's shell", async () => {
  const job = record(
    parse(await readFile(join(import.meta.dirname, "../../../examples/migration-job.yaml"), "utf8")),
  );
  const container = record(list(record(record(record(job["spec"])["template"])["spec"])["containers"])[0]);
  const script = String(list(container["command"])[2]).replace(/sleep \d+/, "sleep 0.2");
  const { stdout } = await promisify(execFile)("sh", ["-c", script]);
  const marks = stdout.split("\n").flatMap((line) => parseMark(line) ?? []);
  expect(marks.map(({ event }) => event)).toEqual(["start", "end"]);
  const [start, end] = marks;
  expect((end?.atMs ?? 0) - (start?.atMs ?? 0)).toBeGreaterThan(190);
  expect(Math.abs(Date.now() - (end?.atMs ?? 0))).toBeLessThan(60_000);
});
