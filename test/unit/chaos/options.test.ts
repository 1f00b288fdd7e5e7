import { expect, test } from "vitest";
import { readOptions } from "../../chaos/options.ts";

const random = () => 0.5;

test("flags override the environment, and a missing seed is drawn", () => {
  expect(readOptions([], {}, random)).toEqual({ seed: 2 ** 31, seconds: 60, guard: true, keep: false });
  const env = { SEED: "3", SECONDS: "90", GUARD: "off", KEEP: "on" };
  expect(readOptions([], env, random)).toEqual({ seed: 3, seconds: 90, guard: false, keep: true });
  expect(readOptions(["--seed=4", "--seconds", "5"], env, random)).toEqual({
    seed: 4,
    seconds: 5,
    guard: false,
    keep: true,
  });
});

test.for([
  [{ SEED: "abc" }, "SEED=abc is not known"],
  [{ SECONDS: "-1" }, "SECONDS=-1 is not known"],
  [{ SEED: "4294967296" }, "below 4294967296"],
  [{ GUARD: "maybe" }, "GUARD=maybe is not known"],
] as const)("%o is refused", ([env, message]) => {
  expect(() => readOptions([], env, random)).toThrow(message);
});
