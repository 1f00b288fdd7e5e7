/** Commands of this repository that pages name exist: npm scripts, make targets, vitest projects, and files that are run. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseJson, record } from "../../../src/shared/json.ts";
import { ROOT, RUN_PAGES } from "../../docs/markdown.ts";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const SCRIPTS = Object.keys(record(record(parseJson(read("package.json")))["scripts"]));
const TARGETS = [...read("Makefile").matchAll(/^([a-z-]+):/gm)].map(([, name = ""]) => name);
const PROJECTS = [...read("vitest.config.ts").matchAll(/name: "([a-z-]+)"/g)].map(([, name = ""]) => name);
const STAGES = [...read("test/run.ts").matchAll(/\{ name: "([a-z]+)"/g)].map(([, name = ""]) => name);

/** What pages say, the part of it that has to exist, and whether it does. */
const RULES: readonly { readonly said: RegExp; readonly exists: (name: string) => boolean }[] = [
  { said: /\bnpm run (?:--silent )?([a-z:]+)/g, exists: (name) => SCRIPTS.includes(name) },
  { said: /(?:^|`)(?:[A-Z]+=\S+ )*make ([a-z-]+)/gm, exists: (name) => TARGETS.includes(name) },
  { said: /--project ([a-z-]+)/g, exists: (name) => PROJECTS.includes(name) },
  { said: /npm test -- (?:--all )?([a-z]+)/g, exists: (name) => STAGES.includes(name) },
  {
    said: /(?:^|[\s`(=])((?:src|test|tools|deploy|examples|certs|webhook-config)\/[\w./-]*\w)/gm,
    exists: (name) => existsSync(join(ROOT, name)),
  },
];

function unknownIn(text: string): string[] {
  return RULES.flatMap(({ said, exists }) =>
    [...text.matchAll(said)].filter(([, name = ""]) => !exists(name)).map(([whole]) => whole.trim()),
  );
}

test.each([...RUN_PAGES, "CONTRIBUTING.md", "ARCHITECTURE.md", "certs/README.md", "test/cluster/README.md"])(
  "%s names commands and files of the project that exist",
  (path) => {
    expect(unknownIn(read(path))).toEqual([]);
  },
);

test("what does not exist is found", () => {
  const text = "`make tests`, npm run nothing, --project units, npm test -- all, SEED=1 make x\nsrc/no.ts\n";
  expect(unknownIn(text)).toEqual([
    "npm run nothing",
    "`make tests",
    "--project units",
    "npm test -- all",
    "src/no.ts",
  ]);
});
