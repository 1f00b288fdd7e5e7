import { expect, test } from "vitest";
import { createPace } from "../../../src/controller/pace.ts";
import { turnedClock } from "../gate/turned-clock.ts";

test("a long queue rests after a look in proportion to its length, and a short queue never rests", async () => {
  const clock = turnedClock();
  const pace = createPace(clock);
  expect(pace.restMs("a/long")).toBe(0);
  pace.looked("a/long", 10_000);
  pace.looked("a/short", 199);
  expect([pace.restMs("a/long"), pace.restMs("a/short")]).toEqual([100, 0]);
  await clock.turn(60);
  expect(pace.restMs("a/long")).toBe(40);
  await clock.turn(40);
  expect(pace.restMs("a/long")).toBe(0);
});

test("a queue that has become short does not rest", () => {
  const pace = createPace(turnedClock());
  pace.looked("a/b", 10_000);
  pace.looked("a/b", 10);
  expect(pace.restMs("a/b")).toBe(0);
});
