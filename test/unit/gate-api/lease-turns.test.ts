import { expect, test } from "vitest";
import { createLeaseTurns } from "../../../src/server/gate-api/hold/lease-turns.ts";
import { turnedClock } from "../gate/turned-clock.ts";

function taking() {
  const clock = turnedClock();
  const turns = createLeaseTurns(clock);
  const begun: string[] = [];
  const take = (name: string, ended: Promise<unknown>) => {
    const turn = turns.take("ns/nightly", async () => {
      begun.push(name);
      await ended;
    });
    turn.catch(() => undefined);
  };
  return { clock, begun, take };
}

test("turns are taken one after the other, however they end", async () => {
  const { clock, begun, take } = taking();
  const first = Promise.withResolvers<void>();
  take("first", first.promise);
  take("second", Promise.resolve());
  await clock.turn(0);
  expect(begun).toEqual(["first"]);
  first.reject(new Error("no"));
  await clock.turn(0);
  expect(begun).toEqual(["first", "second"]);
});

test("turns that never end delay others only briefly, however many they are", async () => {
  const { clock, begun, take } = taking();
  const never = new Promise(() => undefined);
  for (const name of ["hangs", "hangs too", "hangs as well"]) take(name, never);
  await clock.turn(900);
  take("renews", Promise.resolve());
  await clock.turn(2_000);
  expect(begun).toContain("renews");
});
