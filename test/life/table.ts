import { formatTable } from "../../src/cli/table.ts";
import { list, record, text } from "../../src/shared/json.ts";
import type { Scenario } from "../e2e/environment.ts";
import type { Figure } from "../e2e/figures.ts";
import { ROWS } from "../e2e/rows.ts";

/** The result of each test of a vitest run, by title: `passed`, `failed`, `skipped`. */
export function parseVerdicts(report: unknown): Map<string, string> {
  const tests = list(record(report)["testResults"]).flatMap((file) => list(record(file)["assertionResults"]));
  return new Map(
    tests.map(record).map(({ title, status }) => [text(title) ?? "", text(status) ?? ""] as const),
  );
}

export interface LifeTable {
  text: string;
  ok: boolean;
}

/** One line for each figure, or for each scenario without figures, in the order of {@link ROWS}. */
export function lifeTable(
  scenarios: readonly Pick<Scenario, "name" | "row">[],
  figures: readonly Figure[],
  verdicts: ReadonlyMap<string, string>,
): LifeTable {
  const lines = ROWS.flatMap((row) =>
    scenarios
      .filter((scenario) => scenario.row === row)
      .flatMap(({ name }) => {
        const verdict = verdicts.get(name) ?? "did not run";
        const ok = verdict === "passed" ? "ok" : verdict.toUpperCase();
        const own = lastOfEach(figures.filter(({ scenario }) => scenario === name));
        if (own.length === 0) return [[row, name, "", "", ok]];
        return own.map(({ what, measuredMs, boundMs }) => [
          row,
          what,
          seconds(boundMs),
          seconds(measuredMs),
          measuredMs <= boundMs ? ok : "LATE",
        ]);
      }),
  );
  const rowOnce = lines.map(([row = "", ...cells], index) => [
    row === lines[index - 1]?.[0] ? "" : row,
    ...cells,
  ]);
  return {
    text: formatTable(["ROW", "SCENARIO", "BOUND", "MEASURED", "OK"], rowOnce),
    ok: lines.length > 0 && lines.every((cells) => cells.at(-1) === "ok"),
  };
}

/** A retried scenario measures again: the last figure counts. */
function lastOfEach(figures: readonly Figure[]): Figure[] {
  return [...new Map(figures.map((figure) => [figure.what, figure])).values()];
}

const seconds = (ms: number) => `${(ms / 1_000).toFixed(ms < 1_000 ? 3 : 1)} s`;
