/** Every annotation that a user may write is documented, and tried by the generated reviews. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ANNOTATION, GROUP } from "../../../src/shared/names.ts";
import { VALUES } from "../../reviews/generate.ts";

const reference = readFileSync(join(import.meta.dirname, "../../../docs/reference.md"), "utf8");

test.each(Object.values(ANNOTATION))("%s", (name) => {
  expect(reference).toContain(`| \`${name.slice(GROUP.length + 1)}\` |`);
  expect(VALUES[name]?.length).toBeGreaterThan(1);
});
