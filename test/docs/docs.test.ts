/**
 * Every command and manifest of README.md and docs/ is run, page by page, in the page's order, on a real node with konductor installed. steps.ts says
 * how a page is read, compare.ts how an output is compared. `PAGES=docs/koncli.md` runs some pages alone. What is not run is listed with its reason.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT, RUN_PAGES, readPage } from "./markdown.ts";
import { type DocsPlace, startDocsPlace } from "./place.ts";
import { runStep } from "./run-step.ts";
import { stepsOf } from "./steps.ts";

const { env, stderr } = process;
const wanted = env["PAGES"]?.split(",");
const PAGES = RUN_PAGES.filter((path) => wanted === undefined || wanted.includes(path))
  .map((path) => ({ path, steps: stepsOf(readPage(path)) }))
  .filter(({ steps }) => steps.length > 0);

let dir: string;
let place: DocsPlace;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-docs-"));
  place = await startDocsPlace({ dir, env, stream: stderr });
});
afterAll(async () => {
  await place?.stop();
  await rm(dir, { recursive: true });
});

const SETUP = join(ROOT, "test/docs/setup");

/** What a page takes for granted, such as programs of its reader, and workloads that wait. */
async function setupOf(name: string): Promise<string | undefined> {
  const setup = await readFile(join(SETUP, `${name}.sh`), "utf8").catch(() => undefined);
  return setup && `${await readFile(join(SETUP, "functions.sh"), "utf8")}\n${setup}`;
}

test.each(PAGES)("what $path shows works as shown", { timeout: 1_200_000 }, async ({ path, steps }) => {
  const name = path
    .replace(/^docs\//, "")
    .replace(/\.md$/, "")
    .toLowerCase();
  const reader = await place.reader(name);
  try {
    const setup = await setupOf(name);
    if (setup !== undefined) {
      await reader.needKonductor();
      const { code, stderr } = await reader.run(setup);
      if (code !== 0) expect.fail(`test/docs/setup/${name}.sh ended with ${code}:\n${stderr}`);
    }
    for (const step of steps) {
      const where = `${path}:${step.line}`;
      const problem = await runStep(step, reader);
      if (step.kind === "not run") stderr.write(`${where} is not run: ${step.reason}\n`);
      if (problem !== undefined) expect.fail(`${where}: ${problem}\n${await reader.state()}`);
    }
  } finally {
    await reader.leave();
  }
});
