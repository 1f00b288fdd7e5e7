/** From when a client's hold counts as left over. */
import { expect, test } from "vitest";
import { createLapseClock } from "../../../src/controller/lapse-clock.ts";
import { countUnrecorded } from "../../../src/controller/unrecorded-holders.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { aLease, aRequest } from "../lease/samples.ts";
import { noPods } from "./no-pods.ts";

test("a client whose klease was seen late, and is deleted when it has been held for long, has its ttl once more", async () => {
  const clock = turnedClock();
  const lapseClock = createLapseClock(clock);
  const granted = aRequest({ name: "a", status: { phase: "Granted", token: 41, holdTtlMs: 30_000 } });
  const evidenceOf = () => ({ is: "unknown" }) as const;
  const count = (lease = aLease()) =>
    countUnrecorded(lease, [granted], { caches: { pods: noPods }, evidenceOf, lapseClock });
  // The lists with which a term begins: that of the kleases is older than the grant.
  expect(count()).toBe(1);
  expect(count(aLease({ lastToken: 41 }))).toBe(0);
  await clock.turn(3_600_000);
  expect(count(aLease({ lastToken: 41 }))).toBe(0);
  // Deleted, and created again.
  expect(count()).toBe(1);
  await clock.turn(32_000);
  expect(count()).toBe(0);
});
