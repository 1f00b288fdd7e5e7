import { expect, test } from "vitest";
import { createFairShare } from "../../../src/shared/fair-share.ts";

/** The number of bytes that a peer gets, taken one at a time. */
function most({ take }: ReturnType<typeof createFairShare>, peer: string): number {
  let bytes = 0;
  while (take(peer, 1)) bytes++;
  return bytes;
}

test("one peer gets half, the second half of the rest, and none is left without any", () => {
  const budget = createFairShare(1_000);
  expect(most(budget, "a")).toBe(500);
  expect(most(budget, "b")).toBe(250);
  expect(most(budget, "c")).toBe(125);
  expect(most(budget, "a")).toBe(0);
});

test("what is given back is available to others, and to the same peer", () => {
  const budget = createFairShare(1_000);
  most(budget, "a");
  budget.give("a", 500);
  expect(most(budget, "b")).toBe(500);
  budget.give("b", 500);
  expect(budget.take("b", 501)).toBe(false);
  expect(budget.take("b", 500)).toBe(true);
});
