/** A row of the dashboard's picture, from what is known of one klease. Pure. */
import { forecastQueue, pastOf, TOLD_PLACES } from "../../lease/forecast.ts";
import { waitingInOrder, wasGranted } from "../../lease/order.ts";
import {
  type Condition,
  type Hold,
  keyOf,
  type Lease,
  type LeaseRequest,
  type PastHold,
} from "../../lease/types.ts";
import { phaseOf } from "../describe-lease.ts";
import { pastBars } from "./past-bars.ts";
import type { LeaseRow, PresentHold, RowCondition, Waiter } from "./wire.ts";

/** How many of those who wait a row names. */
export const MOST_WAITERS = TOLD_PLACES;

export interface RowFacts {
  lease: Lease;
  /** Those for this klease; undefined: they cannot be seen. */
  requests: readonly LeaseRequest[] | undefined;
  /** Ends of its holds that events tell of. */
  ended: readonly PastHold[];
  /** By the API server's clock. */
  nowMs: number;
}

export function leaseRow({ lease, requests, ended, nowMs }: RowFacts): LeaseRow {
  const { namespace, name, uid, spec, status } = lease;
  const waiting =
    requests && waitingInOrder(lease, requests).filter((request) => !wasGranted(request, lease));
  return {
    key: keyOf(lease),
    ...{ namespace, name, uid },
    phase: phaseOf(lease),
    ttlMs: spec.ttlMs,
    hold: status.hold && presentHold(lease, status.hold),
    past: pastBars(status.history, ended),
    waiting: waiting?.length ?? status.waiters,
    waiters: waiting ? waitersOf(lease, waiting, nowMs) : [],
    conditions: status.conditions.map(rowCondition),
  };
}

/** A condition as the page gets it. */
export function rowCondition({ type, status, reason, message, lastTransitionMs }: Condition): RowCondition {
  return { type, status, reason, message, sinceMs: lastTransitionMs };
}

function presentHold({ spec }: Lease, hold: Hold): PresentHold {
  const { holder, ref, token, acquiredMs, expiresMs, ttlMs, confirmed, releasing } = hold;
  const { renewals, expired, unreachable, revoked } = hold;
  return {
    ...{ holder, kind: ref.kind, token, acquiredMs, renewedMs: expiresMs - ttlMs, expiresMs, ttlMs },
    // The Lease does not say whether a pod wants renewals, until one has come.
    renews: spec.renewable && (ref.kind === "LeaseRequest" || renewals > 0 || expired),
    ...{ confirmed, releasing, expired, unreachable, revoked },
  };
}

function waitersOf(lease: Lease, waiting: readonly LeaseRequest[], nowMs: number): Waiter[] {
  const shown = waiting.slice(0, MOST_WAITERS);
  const past = pastOf(lease, nowMs);
  const turns = past ? forecastQueue(past, shown.length) : [];
  return shown.map(({ spec: { holder, ref, requestedAtMs, priority = lease.spec.priority } }, index) => {
    const turn = turns[index];
    return {
      ...{ place: index + 1, holder, kind: ref?.kind ?? "LeaseRequest", sinceMs: requestedAtMs, priority },
      turn: turn && {
        earliestMs: turn.earliest * 1_000,
        latestMs: turn.latest === undefined ? undefined : turn.latest * 1_000,
      },
    };
  });
}
