import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { shortText } from "../../../src/shared/short-text.ts";

test("a short text stays as it is, and of a long one the beginning is left", () => {
  expect(shortText("näme", 4)).toBe("näme");
  expect(shortText("näme€", 4)).toBe("näme");
  expect(shortText(7, 4)).toBeUndefined();
});

test("what is left does not keep the long text in memory", () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const usedBytes = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = usedBytes();
  const kept = Array.from({ length: 20 }, (_, index) =>
    shortText(JSON.parse(`"${"€".repeat(200_000)}${index}"`), 253),
  );
  expect(usedBytes() - before).toBeLessThan(2_000_000);
  expect(kept).toHaveLength(20);
});
