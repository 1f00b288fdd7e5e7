/** Every line of the pages that calls koncli is one that koncli understands: its command, flags, values and number of names. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { complaintAbout } from "../../docs/koncli-line.ts";
import { ROOT, RUN_PAGES } from "../../docs/markdown.ts";

/** Code in sentences, which may name a command without its arguments. */
function koncliWords(source: string): string[] {
  return [...source.matchAll(/`(koncli [a-z][^`\n]*)`/g)]
    .map(([, line = ""]) => line)
    .filter((line) => !/…|\|/.test(line));
}

/** Lines in blocks. */
function koncliLines(source: string): string[] {
  const blocks = [...source.matchAll(/^ *```(?:sh|console)\n(.*?)^ *```$/gms)].flatMap(([, text = ""]) =>
    text.replaceAll("\\\n", " ").split("\n"),
  );
  return blocks.flatMap((line) => /(?:^|[$;(] *|\bif )(koncli [a-z].*)/.exec(line.trim())?.[1] ?? []);
}

const IS_UNFINISHED = /missing required argument/;

test.each(RUN_PAGES)("koncli understands the lines of %s", (path) => {
  const source = readFileSync(join(ROOT, path), "utf8");
  const complaints = (lines: string[]) => lines.flatMap((line) => complaintAbout(line) ?? []);
  expect(complaints(koncliLines(source))).toEqual([]);
  expect(complaints(koncliWords(source)).filter((each) => !IS_UNFINISHED.test(each))).toEqual([]);
});

test.each([
  ["koncli lease acquire a --hodler me", /unknown option '--hodler'/],
  ["koncli lease acqire a", /unknown command 'acqire'/],
  ["koncli lease acquire", /missing required argument 'name'/],
  ["koncli lease acquire a b", /too many arguments/],
  ["koncli lease acquire a --ttl soon", /a Go duration/],
  ["koncli lease exec a --wait", /missing required argument 'command'/],
])("%s is refused", (line, complaint) => {
  expect(complaintAbout(line)).toMatch(complaint);
});

test("a line that koncli understands is none to complain about", () => {
  expect(complaintAbout('koncli lease exec a --wait -- ./run "two words" --its-own flag')).toBeUndefined();
  expect(complaintAbout("koncli lease status a -n shop -o json   # a comment")).toBeUndefined();
});
