import fc from "fast-check";
import { expect, test } from "vitest";
import { nthSmallest } from "../../../src/lease/nth-smallest.ts";

test("it is the value that sorting puts there, of any values, equal ones and sorted ones included", () => {
  const value = fc.oneof(fc.double({ noNaN: true }), fc.integer({ min: 0, max: 3 }));
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 400 }), fc.nat(), (values, any) => {
      const n = any % values.length;
      const expected = values.toSorted((a, b) => a - b)[n] ?? Number.NaN;
      // 0 and -0 are equal, and may stand in either order.
      expect(nthSmallest(Float64Array.from(values), n) === expected).toBe(true);
    }),
  );
});
