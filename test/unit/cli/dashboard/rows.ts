/** Rows as the server tells them, for tests. */
import type { LeaseRow, PastBar, PresentHold, Waiter } from "../../../../src/cli/dashboard/wire.ts";

/** The time at which the tests of the page play. */
export const NOW_MS = Date.UTC(2026, 10, 30, 12, 0, 0);

export function aRow(change: Partial<LeaseRow> = {}): LeaseRow {
  const name = change.name ?? "nightly";
  const namespace = change.namespace ?? "shop";
  const constant = { uid: "u", phase: "Available", ttlMs: 60_000, hold: undefined, conditions: [] };
  return {
    ...constant,
    key: `${namespace}/${name}`,
    namespace,
    name,
    past: [],
    waiting: 0,
    waiters: [],
    ...change,
  };
}

export function aPresentHold(change: Partial<PresentHold> = {}): PresentHold {
  const { token = 7, acquiredMs = NOW_MS - 60_000 } = change;
  return {
    ...{ holder: "a", kind: "Pod", token, acquiredMs, renewedMs: NOW_MS - 1_000, expiresMs: NOW_MS + 59_000 },
    ...{ ttlMs: 60_000, renews: true, confirmed: true, releasing: false, expired: false, unreachable: false },
    revoked: undefined,
    ...change,
  };
}

/** A hold that lasted from `from` to `to`, in seconds before {@link NOW_MS}. */
export function aPastBar(token: number, from: number, to: number, change: Partial<PastBar> = {}): PastBar {
  const times = { acquiredMs: NOW_MS - from * 1_000, endedMs: NOW_MS - to * 1_000 };
  return { holder: `h${token}`, token, reason: "Released", by: undefined, ...times, ...change };
}

export function aWaiter(place: number, change: Partial<Waiter> = {}): Waiter {
  const constant = { kind: "Pod", priority: 0, turn: undefined } as const;
  return { ...constant, place, holder: `w${place}`, sinceMs: NOW_MS - 10_000, ...change };
}
