import { integer, list, record, text } from "../shared/json.ts";

/** The JSON object in `source`; an empty one when it is anything else. */
export function parseObject(source: string): Record<string, unknown> {
  try {
    return record(JSON.parse(source));
  } catch {
    return {};
  }
}

/** A text that is not empty. */
export function wordOf(value: unknown): string | undefined {
  return text(value) || undefined;
}

/** A whole number, zero or more. */
export function countOf(value: unknown): number | undefined {
  const count = integer(value);
  return count !== undefined && count >= 0 ? count : undefined;
}

export function wordsOf(value: unknown): string[] {
  return list(value).filter((item) => typeof item === "string");
}
