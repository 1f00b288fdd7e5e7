/** `npm run docs` writes the pages of docs/ that are made from the sources: see reference-pages.ts. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describeError } from "../../src/shared/errors.ts";
import { referencePages } from "./reference-pages.ts";

const root = join(import.meta.dirname, "../..");

try {
  for (const [path, content] of await referencePages(root)) {
    await writeFile(join(root, path), content);
    process.stdout.write(`${path}\n`);
  }
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = 1;
}
