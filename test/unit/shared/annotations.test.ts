/** Every annotation that a user may write is documented, and tried by the generated reviews. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ANNOTATION, GROUP } from "../../../src/shared/names.ts";
import { VALUES } from "../../reviews/generate.ts";

const reference = readFileSync(join(import.meta.dirname, "../../../docs/reference.md"), "utf8");

test.each(Object.values(ANNOTATION))("%s", (name) => {
  // Another prefix than konductor's own is shown.
  const shown = name.startsWith(`${GROUP}/`) ? name.slice(GROUP.length + 1) : name;
  expect(reference).toContain(`| \`${shown}\` |`);
  expect(VALUES[name]?.length).toBeGreaterThan(1);
});
