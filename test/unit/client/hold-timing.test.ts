import fc from "fast-check";
import { expect, test } from "vitest";
import {
  DEFAULT_GRACE_MS,
  defaultGraceMs,
  longestGraceMs,
  renewEveryMs,
  reserveMs,
} from "../../../src/client/hold-timing.ts";

const ttl = fc.double({ min: 100, max: 86_400_000, noNaN: true });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("a hold can be renewed, and renewed again after a failure, before its work must stop", () => {
  fc.assert(
    fc.property(ttl, random, (ttlMs, at) => {
      const stopAfterMs = ttlMs - reserveMs(ttlMs, longestGraceMs(ttlMs));
      expect(renewEveryMs(ttlMs, at)).toBeLessThan(stopAfterMs * 0.75);
    }),
  );
});

test("work that is killed at the end of its grace period has ended before the ttl is over", () => {
  fc.assert(
    fc.property(ttl, fc.double({ min: 0, max: 1, noNaN: true }), (ttlMs, share) => {
      const graceMs = share * longestGraceMs(ttlMs);
      expect(reserveMs(ttlMs, graceMs) - graceMs).toBeGreaterThanOrEqual(Math.min(2_000, ttlMs / 10) - 1e-6);
    }),
  );
});

test("the default grace period is 10 s, less for a short ttl, and always allowed", () => {
  expect(defaultGraceMs(600_000)).toBe(DEFAULT_GRACE_MS);
  fc.assert(
    fc.property(ttl, (ttlMs) => {
      expect(defaultGraceMs(ttlMs)).toBeLessThanOrEqual(longestGraceMs(ttlMs) + 1);
    }),
  );
});
