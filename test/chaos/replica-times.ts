import { FAULTS, type FaultName } from "./faults.ts";
import type { FaultRecord, ReadyTime } from "./history.ts";
import { type Span, union, without } from "./spans.ts";

/** The one fault of the group konductor after which the replica still answers renewals. */
const ANSWERS_ON: FaultName = "stall of a replica's watch";

/**
 * The times, from the first Ready replica on, in which no replica was at work: each was not Ready, or struck by a fault that keeps it from answering.
 */
export function timesWithoutReplica(ready: readonly ReadyTime[], faults: readonly FaultRecord[]): Span[] {
  const struckAt = ({ pod, fromMs, toMs }: ReadyTime) =>
    faults.flatMap((fault): Span[] => {
      const kind = FAULTS.find(({ name }) => name === fault.kind);
      if (kind?.group !== "konductor" || kind.name === ANSWERS_ON || !fault.pods?.includes(pod)) return [];
      if (kind.lastsMs) return [fault];
      // A replica that is Ready again after a kill is another container.
      return fault.fromMs < fromMs ? [] : [{ fromMs: fault.fromMs, toMs }];
    });
  const atWork = union(ready.flatMap((time) => without([time], union(struckAt(time)))));
  return atWork
    .slice(1)
    .map(({ fromMs }, index) => ({ fromMs: atWork[index]?.toMs ?? fromMs, toMs: fromMs }));
}
