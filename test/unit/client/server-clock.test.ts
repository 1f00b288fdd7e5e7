import { expect, test } from "vitest";
import { createServerClock } from "../../../src/client/server-clock.ts";
import { turnedClock } from "../gate/turned-clock.ts";

test("the server's time is what it said last, and what has passed since", async () => {
  const clock = turnedClock(5_000);
  const server = createServerClock(clock);
  expect(server.nowMs()).toBe(5_000);
  server.observe({ status: 200, serverDateMs: 3_600_000 });
  await clock.turn(1_500);
  expect(server.nowMs()).toBe(3_601_500);
  server.observe({ status: 404, serverDateMs: undefined });
  expect(server.nowMs()).toBe(3_601_500);
});
