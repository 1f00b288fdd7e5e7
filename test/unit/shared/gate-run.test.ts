import { expect, test } from "vitest";
import { formatGateRun, isEarlierRun, isGateRun, isLaterRun } from "../../../src/shared/gate-run.ts";

test.each([
  ["a later process of the same boot", "b1/200", "b1/100", true],
  ["a later number that is not later as text", "b1/1000", "b1/999", true],
  ["the same run", "b1/100", "b1/100", false],
  ["an earlier process", "b1/99", "b1/100", false],
  ["another boot", "b2/5", "b1/100", true],
  ["an unknown run", undefined, "b1/100", false],
  ["an unknown confirmation", "b1/100", undefined, false],
  ["nonsense", "later", "b1/100", false],
])("%s", (_what, run, confirmed, isLater) => {
  expect(isLaterRun(run, confirmed)).toBe(isLater);
});

test.each([
  ["an earlier process of the same boot", "b1/999", "b1/1000", true],
  ["the same run", "b1/100", "b1/100", false],
  ["a later process", "b1/101", "b1/100", false],
  ["another boot, whose order is unknown", "b2/5", "b1/100", false],
  ["an unknown run", undefined, "b1/100", false],
  ["an unknown other", "b1/100", undefined, false],
])("earlier: %s", (_what, run, other, isEarlier) => {
  expect(isEarlierRun(run, other)).toBe(isEarlier);
});

test("a formatted run is valid", () => {
  const run = formatGateRun("1b4e28ba-2fa1-11d2-883f-0016d3cca427", 1234.5);
  expect(run).toBe("1b4e28ba-2fa1-11d2-883f-0016d3cca427/1235");
  expect(isGateRun(run)).toBe(true);
  expect(isGateRun(`${run}; rm`)).toBe(false);
});
