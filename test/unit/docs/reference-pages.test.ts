/** The pages that are made from the sources are up to date, and say something about every field and command. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { conditionsOf } from "../../../src/lease/conditions.ts";
import { apiPage } from "../../../tools/docs/api-page.ts";
import { koncliCommands } from "../../../tools/docs/koncli-page.ts";
import { referencePages } from "../../../tools/docs/reference-pages.ts";
import { held, NOW_MS } from "../lease/samples.ts";

const ROOT = join(import.meta.dirname, "../../..");

test.each([...(await referencePages(ROOT))])("%s is what `make docs` writes", (path, content) => {
  expect(readFileSync(join(ROOT, path), "utf8")).toBe(content);
});

test("every condition of a Lease is named", () => {
  const lease = held();
  const named =
    readFileSync(join(ROOT, "docs/api.md"), "utf8").split("The state of the Lease in detail:")[1] ?? "";
  const types = conditionsOf(lease, lease.status, NOW_MS).map(({ type }) => type);
  expect(types.filter((type) => !named.split(". ")[0]?.includes(type))).toEqual([]);
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
