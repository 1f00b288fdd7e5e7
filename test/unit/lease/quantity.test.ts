import { describe, expect, it } from "vitest";
import { parseQuantity } from "../../../src/lease/quantity.ts";

describe("parseQuantity", () => {
  it.each([
    ["100m", 0.1],
    ["0.5", 0.5],
    ["2", 2],
    ["1Gi", 2 ** 30],
    ["1G", 1e9],
    ["1e3", 1000],
    ["1E", 1e18],
    [".5Ki", 512],
    ["", undefined],
    ["1 Gi", undefined],
    ["Gi", undefined],
    [undefined, undefined],
  ])("%j is %d", (text, value) => {
    expect(parseQuantity(text)).toBe(value);
  });

  // A search that tries each place for the end of the digits would take a minute.
  it("reads what is none in one go, however long it is", () => {
    expect(parseQuantity(`${"1".repeat(200_000)}x`)).toBeUndefined();
  });
});
