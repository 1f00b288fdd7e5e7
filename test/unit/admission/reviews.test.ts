/** Generated reviews, valid and damaged: none causes a crash, a 500 or an answer that the API server cannot use. `make reviews` tries more. */
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { createChecker } from "../../reviews/check.ts";
import { reviews } from "../../reviews/generate.ts";

const checker = createChecker();
afterAll(() => checker.close());

test("every review is answered, and a second review of the patched object patches nothing", async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(reviews, async ({ review, isDamaged }) => {
      const { allowed } = await checker.check(review);
      seen.add(`${isDamaged ? "damaged" : "whole"}, ${allowed ? "allowed" : "refused"}`);
    }),
    { numRuns: 1_000, seed: 1 },
  );
  expect([...seen].toSorted()).toEqual([
    "damaged, allowed",
    "damaged, refused",
    "whole, allowed",
    "whole, refused",
  ]);
});
