import { text } from "./json.ts";

/**
 * The first `most` characters of a text from outside; undefined for what is none. The copy is a string of its own: one that `slice` returns keeps the
 * whole text in memory that it was taken from.
 */
export function shortText(value: unknown, most: number): string | undefined {
  const whole = text(value);
  if (whole === undefined || whole.length <= most) return whole;
  return Buffer.from(whole.slice(0, most), "utf16le").toString("utf16le");
}
