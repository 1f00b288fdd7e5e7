import type { Clock } from "../../../shared/clock.ts";
import { Refusal } from "../../refusal.ts";
import type { GateApiOptions } from "../options.ts";

/** A watch that was silent has been replaced twice by then (see the reflector), and the new ones have said nothing either. */
export const FRESH_FOR_MS = 20_000;

type Copies = Pick<GateApiOptions["caches"], "leases" | "requests">;

/**
 * Whether the copies by which this replica tells gates how they stand follow the API server. It is asked for the whole replica, and costs
 * no call. False says nothing about who is to blame: an outage of the API server is shared by all replicas.
 */
export function isFresh({ leases, requests }: Copies, clock: Pick<Clock, "monotonicMs">): boolean {
  const heardMs = [leases, requests].map((copy) => copy.lastEventMonotonicMs ?? Number.NEGATIVE_INFINITY);
  return clock.monotonicMs() - Math.min(...heardMs) <= FRESH_FOR_MS;
}

/** Refuses with NotReady a gate that would wait here in vain. */
export function requireFresh({ caches, clock }: Pick<GateApiOptions, "caches" | "clock">): void {
  if (isFresh(caches, clock)) return;
  throw new Refusal(
    "NotReady",
    `this replica has heard nothing of the API server for ${FRESH_FOR_MS / 1_000} s; try another`,
  );
}
