/** Times that scenarios measured, and their upper bounds. */
import { appendFileSync } from "node:fs";
import { expect } from "vitest";
import { defined, record, text } from "../../src/shared/json.ts";

export interface Figure {
  what: string;
  measuredMs: number;
  boundMs: number;
  /** The scenario's name; the suite fills it in. */
  scenario?: string;
}

/** On a busy machine a bound of milliseconds may be missed: a scenario that failed by this alone is retried. */
export const BOUND_MISSED = /^bound missed: /;

/** Reports the time, and expects it to be within its bound. */
export function expectWithin({ report }: { report(figure: Figure): void }, figure: Figure): void {
  report(figure);
  expect(figure.measuredMs, `bound missed: ${figure.what}`).toBeLessThanOrEqual(figure.boundMs);
}

export interface FigureLogOptions {
  node: string;
  stream: { write(text: string): unknown };
  /** Each figure is appended here, as a line of JSON. */
  path: string | undefined;
}

export function figureLog({ node, stream, path }: FigureLogOptions): (figure: Figure) => void {
  return (figure) => {
    const { what, measuredMs, boundMs } = figure;
    stream.write(
      `${node} node: ${what}: ${Math.round(measuredMs)} ms of at most ${Math.round(boundMs)} ms\n`,
    );
    if (path) appendFileSync(path, `${JSON.stringify(figure)}\n`);
  };
}

/** Parses what {@link figureLog} has written. */
export function parseFigures(lines: string): Figure[] {
  return lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const figure = record(JSON.parse(line));
      return {
        what: text(figure["what"]) ?? "",
        measuredMs: Number(figure["measuredMs"]),
        boundMs: Number(figure["boundMs"]),
        ...defined({ scenario: text(figure["scenario"]) }),
      };
    });
}
