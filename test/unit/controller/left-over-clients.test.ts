/** When a client's hold begins to count as left over. */
import { expect, test } from "vitest";
import { createLapseClock } from "../../../src/controller/lapse-clock.ts";
import { countUnrecorded } from "../../../src/controller/unrecorded-holders.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aLease, aRequest } from "../lease/samples.ts";
import { noPods } from "./no-pods.ts";

test("a client whose klease was seen late has its ttl once more when the klease is deleted", async () => {
  const clock = turnedClock();
  const lapseClock = createLapseClock(clock);
  const granted = aRequest({ name: "a", status: { phase: "Granted", token: 41, holdTtlMs: 30_000 } });
  const evidenceOf = () => ({ is: "unknown" }) as const;
  const count = (lease = aLease()) =>
    countUnrecorded(lease, [granted], { caches: { pods: noPods }, evidenceOf, lapseClock });
  // At the beginning of a term, the list of kleases may be older than the grant.
  expect(count()).toBe(1);
  expect(count(aLease({ lastToken: 41 }))).toBe(0);
  await clock.turn(3_600_000);
  expect(count(aLease({ lastToken: 41 }))).toBe(0);
  // The klease was deleted and created again.
  expect(count()).toBe(1);
  await clock.turn(32_000);
  expect(count()).toBe(0);
});
