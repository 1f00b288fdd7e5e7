import { expect, test } from "vitest";
import { leaseStatusText, leaseTable } from "../../../src/cli/describe-lease.ts";
import { formatAge } from "../../../src/shared/age.ts";
import { aLease, aRequest, held, NOW_MS } from "../lease/samples.ts";

test.each([
  [0, "0s"],
  [-5_000, "0s"],
  [119_999, "119s"],
  [120_000, "2m"],
  [7_199_000, "119m"],
  [7_200_000, "2h"],
  [172_800_000, "2d"],
])("%i ms ago is %s", (ms, age) => {
  expect(formatAge(ms)).toBe(age);
});

test("a list shows one klease per line, with the columns that kubectl users expect", () => {
  const leases = [held({ holder: "run-1" }), { ...aLease(), name: "free" }];
  const lines = leaseTable(leases, { nowMs: NOW_MS, withNamespace: false, wide: false }).split("\n");
  expect(lines[0]?.split(/ {3,}/)).toEqual([
    "NAME",
    "PHASE",
    "HOLDER",
    "EXPIRES IN",
    "TTL",
    "WAITERS",
    "TOKEN",
    "PAUSED",
    "AGE",
  ]);
  expect(lines[1]?.split(/ {3,}/)).toEqual(["nightly", "Held", "run-1", "55s", "1m", "0", "41", "10m"]);
  expect(lines[2]).toMatch(/^free +Available +1m +0 +10m$/);
  const paused = leaseTable([aLease({}, { paused: true })], {
    ...{ nowMs: NOW_MS, withNamespace: false, wide: false },
  });
  expect(paused).toMatch(/\nnightly +Available +1m +0 +true +10m\n/);
  const wide = leaseTable(leases, { nowMs: NOW_MS, withNamespace: true, wide: true });
  expect(wide).toMatch(/^NAMESPACE .* NODE +RENEWALS +PRIORITY +MIN INTERVAL +MAX WAITING\n/);
  expect(wide).toMatch(/\nns +nightly .* node-1 +3 +0\n/);
});

test("a wide list and a status show what the owner has set, and until when a klease rests", () => {
  const spec = { minIntervalMs: 300_000, maxWaiting: 2 };
  const lease = aLease({ lastEndedMs: NOW_MS }, spec);
  const wide = leaseTable([lease], { nowMs: NOW_MS, withNamespace: false, wide: true });
  expect(wide).toMatch(/ 0 +5m +2\n/);
  const shown = leaseStatusText(lease, [], { nowMs: NOW_MS, holderNote: undefined });
  expect(shown).toMatch(
    /\nMin interval: +5m\nMax waiting: +2\nHeld back: +resting until 2026-01-01T00:15:00Z, /,
  );
});

test("a status names holder, age, expiry, renewals, token and the head of the queue", () => {
  const waiters = ["d", "c", "b", "a"].map((holder, index) =>
    aRequest({ name: holder, spec: { holder, requestedAtMs: NOW_MS - index } }),
  );
  const lease = held({ unreachable: true });
  const condition = {
    type: "HolderUnreachable",
    status: "True",
    reason: "NoProof",
    message: "act",
    lastTransitionMs: 0,
  };
  const shown = leaseStatusText(
    {
      ...lease,
      status: {
        ...lease.status,
        conditions: [
          { ...condition, status: "True" },
          { ...condition, type: "Releasing", status: "False" },
        ],
      },
    },
    waiters,
    { nowMs: NOW_MS, holderNote: "pod is gone" },
  );
  expect(shown).toContain("Holder:            run-1 (pod is gone)\n");
  expect(shown).toContain("Acquired:          2026-01-01T00:09:50.000Z (10s ago)\n");
  expect(shown).toContain("Expires:           2026-01-01T00:10:55.000Z (in 55s)\n");
  expect(shown).toContain("Renewals:          3\n");
  expect(shown).toContain("Token:             41\n");
  expect(shown).toContain("HolderUnreachable: act (NoProof)\n");
  expect(shown).not.toContain("Releasing");
  expect(shown).toContain("Waiting:           4: a, b, c, and 1 more\n");
});
