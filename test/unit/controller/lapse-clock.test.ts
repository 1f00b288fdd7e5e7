import { expect, test } from "vitest";
import { createLapseClock } from "../../../src/controller/lapse-clock.ts";
import type { LeaseRequest } from "../../../src/lease/types.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aRequest } from "../lease/samples.ts";

const LEASE_TTL_MS = 60_000;
const ALLOWANCE_MS = 2_000;

function granted(name: string, ttlMs?: number, holdTtlMs?: number): LeaseRequest {
  return aRequest({
    name,
    spec: ttlMs === undefined ? {} : { ttlMs },
    status: { phase: "Granted", token: 41, ...(holdTtlMs !== undefined && { holdTtlMs }) },
  });
}

test.each([
  ["the hold's ttl, which the request shows", granted("a", 40_000, 30_000), 30_000],
  ["the ttl that its client asked for", granted("a", 40_000), 40_000],
  ["the klease's ttl", granted("a"), LEASE_TTL_MS],
])(
  "a left-over hold lapses after its ttl and the allowance, counted from when it was first seen: %s",
  async (_, request, ttlMs) => {
    const clock = turnedClock();
    const lapseClock = createLapseClock(clock);
    await clock.turn(999_000);
    expect(lapseClock.hasLapsed(request, LEASE_TTL_MS)).toBe(false);
    await clock.turn(ttlMs + ALLOWANCE_MS - 1);
    expect(lapseClock.hasLapsed(request, LEASE_TTL_MS)).toBe(false);
    await clock.turn(1);
    expect(lapseClock.hasLapsed(request, LEASE_TTL_MS)).toBe(true);
  },
);

test("each hold has its own clock", async () => {
  const clock = turnedClock();
  const lapseClock = createLapseClock(clock);
  lapseClock.hasLapsed(granted("a"), LEASE_TTL_MS);
  await clock.turn(LEASE_TTL_MS + ALLOWANCE_MS);
  expect(lapseClock.hasLapsed(granted("b"), LEASE_TTL_MS)).toBe(false);
  expect(lapseClock.hasLapsed(granted("a"), LEASE_TTL_MS)).toBe(true);
});

test("a new term begins to count anew", async () => {
  const clock = turnedClock();
  const lapseClock = createLapseClock(clock);
  lapseClock.hasLapsed(granted("a"), LEASE_TTL_MS);
  await clock.turn(LEASE_TTL_MS + ALLOWANCE_MS);
  lapseClock.reset();
  expect(lapseClock.hasLapsed(granted("a"), LEASE_TTL_MS)).toBe(false);
});
