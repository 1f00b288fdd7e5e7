import { parseJson, record } from "../shared/json.ts";
import { createLogger, type Logger } from "../shared/log.ts";
import type { CliIo } from "./cli-context.ts";
import { printable } from "./printable.ts";

/** A log on stderr as a person reads it: `lineOf` makes a line of an entry. */
export function createPlainLog(
  { err }: Pick<CliIo, "err">,
  level: "debug" | "warn",
  lineOf: (entry: Record<string, unknown>) => string,
): Logger {
  const write = (line: string) => err(`${printable(lineOf(record(parseJson(line))))}\n`);
  return createLogger({ level, destination: { write } });
}
