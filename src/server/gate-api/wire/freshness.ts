import { areFresh, FRESH_FOR_MS } from "../../../objects/freshness.ts";
import type { Clock } from "../../../shared/clock.ts";
import { Refusal } from "../../refusal.ts";
import type { GateApiOptions } from "../options.ts";

type Copies = Pick<GateApiOptions["caches"], "leases" | "requests">;

/** Whether the caches from which this replica answers gates follow the API server: for the whole replica. */
export function isFresh({ leases, requests }: Copies, clock: Pick<Clock, "monotonicMs">): boolean {
  return areFresh([leases, requests], clock);
}

/** Refuses with NotReady a gate that would wait here in vain. */
export function requireFresh({ caches, clock }: Pick<GateApiOptions, "caches" | "clock">): void {
  if (isFresh(caches, clock)) return;
  throw new Refusal(
    "NotReady",
    `this replica has heard nothing of the API server for ${FRESH_FOR_MS / 1_000} s; try another`,
  );
}
