// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]+/g;

/** `text` on one line, without what would steer a terminal: names of holders are whatever somebody has written. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, " ");
}
