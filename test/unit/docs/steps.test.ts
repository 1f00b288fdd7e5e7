/** How the runner of the docs reads a page, and compares what a command wrote. */
import { describe, expect, test } from "vitest";
import { matches } from "../../docs/compare.ts";
import { parsePage, RUN_PAGES, readPage } from "../../docs/markdown.ts";
import { stepsOf } from "../../docs/steps.ts";

const steps = (source: string) => stepsOf(parsePage("page.md", source));

test.each(RUN_PAGES)("every block of %s is run, or says why not", (path) => {
  expect(() => stepsOf(readPage(path))).not.toThrow();
});

describe("a page", () => {
  test("has a script for a block, with the output that follows at once", () => {
    const source = "```sh\na\nb\n```\n\n```text\nout\n```\n\nWords.\n\n```text\na picture\n```\n";
    expect(steps(source)).toEqual([
      { kind: "command", line: 1, script: "a\nb", expected: "out", withoutKonductor: false },
    ]);
  });

  test("has a step for each command of a console", () => {
    expect(steps("```console\n$ a \\\n  --b\none\n$ c\n```\n")).toMatchObject([
      { line: 2, script: "a \\\n  --b", expected: "one" },
      { line: 5, script: "c", expected: "" },
    ]);
  });

  test("has manifests to be applied, and to be saved", () => {
    const yaml = "```yaml\nkind: Job\n```\n";
    expect(steps(`${yaml}<!-- saved as: a/b.yaml -->\n\n${yaml}`)).toMatchObject([
      { kind: "manifest", yaml: "kind: Job" },
      { kind: "file", path: "a/b.yaml", content: "kind: Job\n" },
    ]);
  });

  test("says why a block is not run", () => {
    expect(steps("<!-- not run: it is far away -->\n\n```sh\na\n```\n")).toEqual([
      { kind: "not run", line: 3, reason: "it is far away" },
    ]);
  });

  test("interrupts what its reader ends by Ctrl-C", () => {
    expect(steps("```sh\na --watch   # Ctrl-C ends it\n```\n")).toMatchObject([
      { script: "timeout --signal=INT 5 a --watch   || true" },
    ]);
  });

  test.each([
    ["a fence without a language", "```\na\n```\n", /must say one of sh/],
    ["a note without a reason", "<!-- not run -->\n```sh\na\n```\n", /does not say why/],
    ["YAML that is no manifest", "```yaml\na: b\n```\n", /is no manifest/],
    ["a fence that does not end", "```sh\na\n", /does not end/],
  ])("with %s is refused", (_name, source, message) => {
    expect(() => steps(source)).toThrow(message);
  });
});

describe("an output", () => {
  const SHOWN =
    "NAME  HOLDER  SINCE  TOKEN\nnightly  one-cghgx  2026-11-22T22:48:46.580Z  1795387126541\nfor 1h30m";

  test("matches in spite of times, durations, tokens, names of pods and widths of columns", () => {
    const written = SHOWN.replace("one-cghgx", "one-2xk7d   ")
      .replace("2026-11-22T22:48:46.580Z", "2027-01-01T00:00:00Z")
      .replace("1795387126541", "1800000000000")
      .replace("1h30m", "12s");
    expect(matches(written, SHOWN)).toBe(true);
  });

  test.each([
    ["another word", SHOWN.replace("nightly", "weekly")],
    ["another number", SHOWN.replace("for", "for 2")],
    ["a line more", `${SHOWN}\nmore`],
    ["a line less", SHOWN.replace(/\n.*$/, "")],
  ])("does not match with %s", (_name, written) => {
    expect(matches(written, SHOWN)).toBe(false);
  });

  test("matches any text at an ellipsis alone on its line", () => {
    expect(matches("a\nb\nc\nd", "…\nb\n…\nd")).toBe(true);
    expect(matches("a\nb\nc\nd", "…\nb\n…\ne")).toBe(false);
    expect(matches("a b", "a…")).toBe(false);
  });
});
