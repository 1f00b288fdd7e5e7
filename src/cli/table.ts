import { printable } from "./printable.ts";

/** Columns as kubectl prints them: upper-case headings, three spaces between, nothing after the last. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows].map((row) => row.map(printable));
  const widths = headings.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const format = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("   ")
      .trimEnd();
  return `${all.map(format).join("\n")}\n`;
}

/** Label and value, aligned, as kubectl describe prints them. */
export function formatFields(fields: readonly (readonly [string, string])[]): string {
  const width = Math.max(...fields.map(([label]) => label.length)) + 1;
  return `${fields.map(([label, value]) => `${`${label}:`.padEnd(width)} ${printable(value)}`).join("\n")}\n`;
}
