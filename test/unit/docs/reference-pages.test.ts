/** The pages that are made from the sources are up to date, and say something about every field and command. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { apiPage } from "../../../tools/docs/api-page.ts";
import { koncliCommands } from "../../../tools/docs/koncli-page.ts";
import { referencePages } from "../../../tools/docs/reference-pages.ts";

const ROOT = join(import.meta.dirname, "../../..");

test.each([...(await referencePages(ROOT))])("%s is what `make docs` writes", (path, content) => {
  expect(readFileSync(join(ROOT, path), "utf8")).toBe(content);
});

test("every command says what it does, and shows how by an example", () => {
  const silent = koncliCommands().filter(({ description }) => description === "");
  expect(silent).toEqual([]);
  const withoutExample = koncliCommands().filter(({ examples }) => examples.length === 0);
  expect(withoutExample.map(({ name }) => name)).toEqual(["koncli", "koncli version"]);
});

test("a field without a description makes no page", () => {
  const definition = (field: object) => ({
    spec: {
      names: { kind: "Lease", shortNames: ["klease"] },
      versions: [
        {
          name: "v1",
          schema: {
            openAPIV3Schema: {
              properties: {
                spec: { type: "object", description: "Wishes.", properties: { ttl: field } },
                status: { type: "object", description: "State." },
              },
            },
          },
        },
      ],
    },
  });
  expect(() => apiPage([definition({ type: "string" })])).toThrow("field ttl has no description");
  expect(apiPage([definition({ type: "string", description: "How long." })])).toContain(
    "| `ttl` | string | How long. |",
  );
});
