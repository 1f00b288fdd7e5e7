/** Leases by the thousand, with histories and queues, that change as those of a busy cluster do. */
import type { LeaseRow, PastBar } from "../../src/cli/dashboard/wire.ts";

const REASONS = ["Released", "Released", "Terminated", "Released", "Fenced", "Expired", "Forced"] as const;
const HOLDS = 10;
const MINUTE_MS = 60_000;

/** The Lease with this number, at `nowMs`. `turn` counts its changes: with each of them it is granted to the next one. */
export function manyLease(index: number, turn: number, nowMs: number): LeaseRow {
  const name = `job-${String(index).padStart(4, "0")}`;
  const namespace = `team-${index % 7}`;
  const lengthMs = (1 + (index % 5)) * MINUTE_MS;
  const acquiredMs = nowMs - (index % 50) * 1_000;
  const past = Array.from({ length: HOLDS }, (_, age): PastBar => {
    const endedMs = acquiredMs - age * lengthMs - 2_000;
    const reason = REASONS[(index + age + turn) % REASONS.length] ?? "Released";
    return {
      ...{ holder: `${name}-${turn - age - 1}`, token: 1_000_000 + turn - age - 1, by: undefined, reason },
      ...{ acquiredMs: endedMs - lengthMs + 4_000, endedMs },
    };
  });
  const waiting = index % 4;
  const waiters = Array.from({ length: waiting }, (_, place) => ({
    ...{ place: place + 1, holder: `${name}-${turn + place + 1}`, kind: "Pod" as const, priority: 0 },
    sinceMs: nowMs - (index % 90) * 1_000,
    turn: { earliestMs: (place + 1) * MINUTE_MS, latestMs: (place + 3) * MINUTE_MS },
  }));
  return {
    ...{ key: `${namespace}/${name}`, namespace, name, uid: String(index), phase: "Held", ttlMs: MINUTE_MS },
    hold: {
      ...{ holder: `${name}-${turn}`, kind: "Pod", token: 1_000_000 + turn, acquiredMs, renewedMs: nowMs },
      ...{ expiresMs: nowMs + MINUTE_MS, ttlMs: MINUTE_MS, renews: true, confirmed: true, releasing: false },
      ...{ expired: false, unreachable: false, revoked: undefined },
    },
    ...{ past, waiting, waiters, conditions: [] },
  };
}
