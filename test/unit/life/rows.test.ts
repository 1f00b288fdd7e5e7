import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROWS } from "../../e2e/rows.ts";
import { SCENARIOS } from "../../e2e/scenarios.ts";

const guarantees = readFileSync(join(import.meta.dirname, "../../../docs/guarantees.md"), "utf8");

test.each(ROWS)("row %s is promised in docs/guarantees.md and shown by a scenario", (row) => {
  expect(guarantees).toContain(`\n| ${row} | `);
  expect(SCENARIOS.filter((scenario) => scenario.row === row)).not.toEqual([]);
});
