/** Links between pages lead to files and headings that exist. */
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { parsePage, ROOT, RUN_PAGES, readPage } from "../../docs/markdown.ts";

const PAGES = [
  ...RUN_PAGES,
  ...["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "certs/README.md", "test/cluster/README.md"],
];

/** What is wrong with the links of a page. */
function brokenLinks({ path, links, anchors }: ReturnType<typeof readPage>): string[] {
  return links.flatMap(({ target, line }) => {
    if (/^https?:/.test(target)) return [];
    const [file = "", anchor] = target.split("#");
    const linked = file === "" ? path : relative(ROOT, join(ROOT, dirname(path), file));
    const at = `${path}:${line}: ${target}`;
    if (!existsSync(join(ROOT, linked))) return [`${at}: there is no ${linked}`];
    if (anchor === undefined || /^L\d+/.test(anchor)) return [];
    const known = file === "" ? anchors : readPage(linked).anchors;
    return known.has(anchor) ? [] : [`${at}: ${linked} has no such heading`];
  });
}

test.each(PAGES)("every link of %s leads somewhere", (path) => {
  expect(brokenLinks(readPage(path))).toEqual([]);
});

test("docs/README.md leads to every page", () => {
  const linked = readPage("docs/README.md").links.map(({ target }) => target.split("#")[0]);
  const pages = RUN_PAGES.map((path) => relative("docs", path)).filter((path) => path !== "README.md");
  expect(pages.filter((path) => !linked.includes(path))).toEqual([]);
});

test("a link to a missing file or heading is found, and none in code", () => {
  const source =
    "# The page\n[a](#the-page) [b](#other) [c](gone.md) [d](README.md#nowhere) `[e](gone.md)`\n";
  expect(brokenLinks(parsePage("CONTRIBUTING.md", source))).toEqual([
    "CONTRIBUTING.md:2: #other: CONTRIBUTING.md has no such heading",
    "CONTRIBUTING.md:2: gone.md: there is no gone.md",
    "CONTRIBUTING.md:2: README.md#nowhere: README.md has no such heading",
  ]);
});
