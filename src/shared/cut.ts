/**
 * The first `most` characters of a text from outside. The copy is a string of its own: one that `slice` returns keeps the whole text in memory that
 * it was taken from.
 */
export function cut(text: string, most: number): string {
  return text.length <= most ? text : Buffer.from(text.slice(0, most), "utf16le").toString("utf16le");
}
