/** Calls to the API server that are refused, late, sent twice, unanswered or lost for a while. */
import type { CallFault, Line } from "../api/line.ts";
import { breakFor } from "../broken.ts";
import type { World } from "../world.ts";
import { type Event, pick } from "./event.ts";

const REFUSALS = [403, 409, 422, 429, 500, 503];
/** undefined: all. */
const RESOURCES = [
  ...[undefined, undefined, undefined],
  ...["leases", "leaserequests", "pods", "jobs", "nodes", "tokenreviews"],
];

export function troubleOf({ kind, ms }: Event): CallFault {
  const status = REFUSALS[kind % REFUSALS.length] ?? 500;
  switch (kind % 7) {
    case 0:
      return { is: "unanswered", tookEffect: false };
    case 1:
      return { is: "unanswered", tookEffect: true };
    case 2:
      return { is: "broken", tookEffect: true };
    case 3:
      return { is: "late", byMs: Math.min(ms, 20_000), twice: kind % 2 === 0 };
    default:
      return { is: "refused", status, ...(status === 429 && { retryAfterSeconds: 1 + (kind % 5) }) };
  }
}

/**
 * Lets most or all calls of one process, about one or all resources, meet `fault`. What meets it depends on the milliseconds of `event.ms`, so
 * that each fault befalls each resource. A duration in whole seconds means all calls.
 */
export function trouble(world: World, line: Line, event: Event, fault: CallFault): void {
  const drawn = event.ms % 1_000;
  const plural = pick(RESOURCES, drawn);
  const isSure = Math.floor(drawn / RESOURCES.length) % 4 === 0;
  breakFor(world, event.what, event.ms, () => {
    const meet: typeof line.faultOf = (call) =>
      (plural === undefined || call.resource.plural === plural) && (isSure || world.random.chance(0.7))
        ? fault
        : undefined;
    line.troubles.add(meet);
    return () => line.troubles.delete(meet);
  });
}

/** Cuts one process off from the API servers. */
export function cut(world: World, line: Line, event: Event): void {
  breakFor(world, event.what, event.ms, () => {
    line.isCut = true;
    return () => {
      line.isCut = false;
      line.heal();
    };
  });
}
