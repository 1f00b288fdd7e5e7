/**
 * Durations of real holds or jobs, by file of a folder:
 * - `.json`: what `kubectl get klease -o json` prints, of one or of many (`status.holdSeconds`; the history that koncli shows is shorter); the
 *   report of vitest's JSON reporter, each test file a job; or `{"how": "…", "seconds": […]}`;
 * - `.csv`: a number of seconds in each line, or in the column called `seconds`;
 * - `.swf`: a trace in the Standard Workload Format, of which the Parallel Workloads Archive has many.
 */
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { list, parseJson, record, text } from "../../src/shared/json.ts";

export interface History {
  name: string;
  /** The earliest first. */
  seconds: readonly number[];
}

/** Every history in `dir`. A file of another form, or without any duration, has none. Throws if `dir` cannot be read. */
export async function readHistories(dir: string): Promise<History[]> {
  const names = (await readdir(dir)).toSorted();
  const read = await Promise.all(
    names.map(async (name) => parseHistories(name, await readFile(join(dir, name), "utf8"))),
  );
  return read.flat();
}

/** Of one file; `fileName` tells its form. */
export function parseHistories(fileName: string, content: string): History[] {
  const name = fileName.slice(0, -extname(fileName).length);
  return historiesIn(fileName, content)
    .map(({ of, seconds }) => ({
      name: of === undefined ? name : `${name}: ${of}`,
      seconds: seconds.filter((each) => Number.isFinite(each) && each > 0),
    }))
    .filter(({ seconds }) => seconds.length > 0);
}

interface Found {
  /** Which one, if the file has many. */
  of?: string;
  seconds: readonly number[];
}

function historiesIn(fileName: string, content: string): Found[] {
  switch (extname(fileName)) {
    case ".json":
      return inJson(parseJson(content));
    case ".csv":
      return [
        { seconds: inColumn(linesOf(content).map((line) => line.split(",").map((cell) => cell.trim()))) },
      ];
    case ".swf":
      return [{ seconds: inTrace(linesOf(content)) }];
    default:
      return [];
  }
}

const linesOf = (content: string) => content.split("\n").filter((line) => line.trim() !== "");

function inJson(document: unknown): Found[] {
  const { items, status, metadata, testResults, seconds } = record(document);
  if (items) return list(items).flatMap(inJson);
  if (testResults) return [{ seconds: inReport(list(testResults)) }];
  if (seconds) return [{ seconds: list(seconds).map(Number) }];
  const { namespace, name } = record(metadata);
  const held = list(record(status)["holdSeconds"]).map(Number).toReversed();
  return [{ of: `${text(namespace)}/${text(name)}`, seconds: held }];
}

/** Of each test file, in the order of their names: vitest begins with the slowest. */
function inReport(results: readonly unknown[]): number[] {
  return results
    .map(record)
    .toSorted((a, b) => String(a["name"]).localeCompare(String(b["name"])))
    .map(({ startTime, endTime }) => (Number(endTime) - Number(startTime)) / 1_000);
}

function inColumn([first = [], ...others]: readonly (readonly string[])[]): number[] {
  const hasHeader = first.some((cell) => Number.isNaN(Number(cell)));
  const column = hasHeader ? first.indexOf("seconds") : 0;
  return (hasHeader ? others : [first, ...others]).map((cells) => Number(cells[column]));
}

/** The run time is the fourth field, -1 if it is not known. */
function inTrace(lines: readonly string[]): number[] {
  return lines.filter((line) => !line.startsWith(";")).map((line) => Number(line.trim().split(/\s+/)[3]));
}
