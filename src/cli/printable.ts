// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]+/g;

/** `text` on one line, without control characters that steer a terminal: a holder's name may be anything. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, " ");
}
