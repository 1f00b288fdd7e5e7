import { expect, test } from "vitest";
import { AMD64, ARM64, parsePlatforms } from "../../../tools/image/platform.ts";

test.for([
  [["linux/arm64"], [ARM64]],
  [["linux/arm64,linux/amd64"], [AMD64, ARM64]],
  [
    ["linux/arm64", "linux/amd64"],
    [AMD64, ARM64],
  ],
  [["linux/amd64", "linux/amd64"], [AMD64]],
])("--platform %j", ([values = [], platforms]) => {
  expect(parsePlatforms(values as string[])).toEqual(platforms);
});

test.for(["linux/riscv64", "arm64", "windows/amd64", "linux/amd64,", ""])(
  "--platform %j is refused",
  (value) => {
    const last = value.split(",").at(-1);
    expect(() => parsePlatforms([value])).toThrow(
      `--platform: "${last}" is not allowed; use linux/amd64, linux/arm64`,
    );
  },
);
