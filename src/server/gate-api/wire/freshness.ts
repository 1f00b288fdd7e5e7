import type { Clock } from "../../../shared/clock.ts";
import { Refusal } from "../../refusal.ts";
import type { GateApiOptions } from "../options.ts";

/** By then a silent watch has been replaced twice (see the reflector), and the new ones were silent, too. */
export const FRESH_FOR_MS = 20_000;

type Copies = Pick<GateApiOptions["caches"], "leases" | "requests">;

/**
 * Whether the caches from which this replica answers gates follow the API server. The answer is for the whole replica and costs no call.
 * False does not mean that this replica is at fault: an outage of the API server hits them all.
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
