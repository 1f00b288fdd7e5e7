/** Whether what the page writes can be read, in light and in dark: WCAG 2.2, 1.4.3 (text, 4.5) and 1.4.11 (edges, 3). */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

const css = await readFile(join(import.meta.dirname, "../../../../src/cli/dashboard/page/style.css"), "utf8");
const DARK = "@media (prefers-color-scheme: dark)";

/** The colours of a block of variables, the first one after `from`. */
function colours(from: number): Map<string, string> {
  const start = css.indexOf(":root {", from);
  const block = css.slice(start, css.indexOf("}", start));
  return new Map(
    [...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name = "", value = ""]) => [name, value]),
  );
}
const SCHEMES = { light: colours(0), dark: colours(css.indexOf(DARK)) };

function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string | undefined, other: string | undefined): number {
  if (!one || !other) throw new Error("style.css lacks a colour that this test compares");
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const LOOKS = ["good", "begun-again", "lost", "fenced", "forced"];
const TEXTS = [
  ...["text", "quiet", "accent", "danger"].flatMap((text) => [
    [text, "ground"],
    [text, "raised"],
  ]),
  ...["accent", "danger", "held", ...LOOKS].map((look) => [`${look}-text`, look]),
  ["good-text", "ground"],
  ["warn-text", "warn-ground"],
] as const;
const EDGES = [...LOOKS.map((look) => `${look}-edge`), "edge", "held"];

test.each(["light", "dark"] as const)("in %s, every text can be read on its ground", (scheme) => {
  const of = SCHEMES[scheme];
  const poor = TEXTS.filter(([text = "", ground = ""]) => contrast(of.get(text), of.get(ground)) < 4.5);
  expect(poor).toEqual([]);
});

test.each(["light", "dark"] as const)("in %s, every bar and control can be seen on its ground", (scheme) => {
  const of = SCHEMES[scheme];
  expect(EDGES.filter((edge) => contrast(of.get(edge), of.get("ground")) < 3)).toEqual([]);
});
